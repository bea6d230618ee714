import { focusOn } from "./focus.js";
import { closeButton, make } from "./pieces.js";
import { _ } from "../live/texts.js";

let count = 0;

/** A page shown in a dialog over another page. A `sheet:open` event bubbles from it. */
export class Sheet {
  #dialog;
  #href;
  #link;

  /**
   * @param {Element} main the page's `<main>`, whose children move here
   * @param {Element} link what opened it
   */
  constructor(main, link) {
    this.#link = link;
    this.#href = link.getAttribute("href") ?? link.getAttribute("formaction") ?? "";
    const heading = main.querySelector("h1");
    const title = heading?.textContent?.trim() || link.textContent?.trim() || _("Dialog");
    heading?.remove();
    const id = `sheet-title-${(count += 1)}`;
    const closing = closeButton(`Close “${title}”`);
    closing.addEventListener("click", () => this.#dialog.close());
    this.#dialog = make(
      "dialog",
      { class: "sheet", "aria-labelledby": id },
      make("header", { class: "sheet-head" }, make("h2", { id }, title), closing),
      make("div", { class: "sheet-body page" }, ...main.childNodes),
    );
    closeOnBackdrop(this.#dialog);
    this.#dialog.addEventListener("close", (event) => {
      if (event.target === this.#dialog) this.#leave();
    });
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    focusFirst(this.#dialog);
    this.#dialog.dispatchEvent(new CustomEvent("sheet:open", { bubbles: true }));
  }

  #leave() {
    this.#dialog.remove();
    // An update may have drawn the link anew meanwhile.
    const address = CSS.escape(this.#href);
    const same = `a[data-dialog][href="${address}"], button[data-dialog][formaction="${address}"]`;
    if (!focusOn(this.#link)) focusOn(document.querySelector(same));
  }
}

/**
 * A click beside a dialog closes it; a drag that only ends there does not.
 *
 * @param {HTMLDialogElement} dialog
 */
export function closeOnBackdrop(dialog) {
  let began = false;
  dialog.addEventListener("pointerdown", (event) => {
    began = isBeside(dialog, event);
  });
  dialog.addEventListener("click", (event) => {
    if (began && isBeside(dialog, event)) dialog.close();
    began = false;
  });
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {MouseEvent} event
 */
function isBeside(dialog, { target, clientX, clientY }) {
  if (target !== dialog) return false;
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

/** @param {HTMLDialogElement} dialog */
function focusFirst(dialog) {
  const body = dialog.querySelector(".sheet-body");
  const field = "input:not([type=hidden], :disabled), select, textarea, button, a[href]";
  const first = body?.querySelector("[autofocus]") ?? body?.querySelector(field);
  if (first instanceof HTMLElement) first.focus();
}
