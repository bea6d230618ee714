import { isPlain } from "./click.js";
import { make } from "./pieces.js";
import { itemOf, numberOf } from "./rows.js";

/**
 * The menus of rows (`a[role=button][data-menu]`, which names a template). A long course has thousands of rows, so
 * a menu is made where it opens, of what stands there at that moment; there is one at a time. Without
 * scripts the link leads to a page that offers the same.
 */
export class RowMenu {
  #root;
  /** @type {HTMLElement | null} the one that was opened last */
  #menu = null;
  /** @type {Element | null} the button of a menu that is closed by the click under way */
  #closing = null;

  /** @param {{root: Document | HTMLElement}} outside */
  constructor({ root }) {
    this.#root = root;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    this.#root.addEventListener("pointerdown", (event) => this.#onDown(event), until);
    this.#root.addEventListener("keydown", (event) => this.#onKey(/** @type {KeyboardEvent} */ (event)), until);
    this.#root.addEventListener("click", (event) => this.#onClick(/** @type {MouseEvent} */ (event)), until);
    return () => ending.abort();
  }

  /** Between this and the click, the browser closes a menu that is open. @param {Event} event */
  #onDown({ target }) {
    const button = buttonOf(target);
    this.#closing = button && this.#isOpen(button) ? button : null;
  }

  /** A link that is a button is pressed like one. @param {KeyboardEvent} event */
  #onKey(event) {
    const button = event.key === " " && !event.defaultPrevented ? buttonOf(event.target) : null;
    if (!button) return;
    event.preventDefault();
    button.click();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const button = buttonOf(event.target);
    const closing = this.#closing === button;
    this.#closing = null;
    if (event.defaultPrevented || !button || !isPlain(event)) return;
    event.preventDefault();
    if (this.#isOpen(button)) this.#menu?.hidePopover();
    else if (!closing) this.#open(button);
  }

  /** @param {Element} button */
  #isOpen(button) {
    return this.#menu?.previousElementSibling === button && this.#menu.matches(":popover-open");
  }

  /** @param {HTMLElement} button */
  #open(button) {
    const item = itemOf(button);
    const template = document.getElementById(button.dataset["menu"] ?? "");
    if (!item || !(template instanceof HTMLTemplateElement)) return;
    this.#menu?.remove();
    const menu = make("div", {
      class: "menu row-menu",
      popover: true,
      role: "group",
      "aria-label": button.getAttribute("aria-label") ?? "",
      "data-live-aside": true,
    });
    menu.append(document.importNode(template.content, true));
    fill(menu, item);
    menu.addEventListener("toggle", () => {
      button.setAttribute("aria-expanded", String(menu.matches(":popover-open")));
    });
    button.after(menu);
    this.#menu = menu;
    menu.showPopover();
  }
}

/** @param {EventTarget | null} target */
function buttonOf(target) {
  const button = target instanceof Element ? target.closest("a[data-menu]") : null;
  return button instanceof HTMLElement ? button : null;
}

/**
 * What the server would have written for this row.
 *
 * @param {HTMLElement} menu
 * @param {Element} item
 */
function fill(menu, item) {
  const number = String(numberOf(item));
  const chapter = item.closest(".chapter");
  for (const field of menu.querySelectorAll("input")) {
    field.value = String(field.name === "chapter_id" ? numberOf(chapter) : number);
  }
  const [before, next] = [item.previousElementSibling, item.nextElementSibling];
  for (const button of menu.querySelectorAll("button")) {
    const { step } = button.dataset;
    if (step === "up" && before) button.value = String(numberOf(before.previousElementSibling) ?? "");
    else if (step === "down" && next) button.value = String(numberOf(next));
    else if (step) button.remove();
  }
  for (const link of menu.querySelectorAll("a")) {
    if (chapter?.parentElement?.childElementCount === 1) link.remove();
    else link.setAttribute("href", link.getAttribute("href")?.replace("/0/", `/${number}/`) ?? "");
  }
}
