import { isTyping } from "./keyboard.js";

/** The keys of the whole page: `/` to search, `?` for the sheet that lists them all. */
export class Shortcuts {
  #root;

  /** @param {{root: Document}} outside */
  constructor({ root }) {
    this.#root = root;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    this.#root.addEventListener("keydown", (event) => this.#onKey(event), until);
    this.#root.addEventListener("click", (event) => this.#onClick(event), until);
    return () => ending.abort();
  }

  /** @param {Event} event */
  #onClick({ target }) {
    if (!(target instanceof Element)) return;
    const sheet = this.#sheet();
    if (target.closest("[data-shortcuts]")) {
      /** @type {HTMLElement | null} */ (target.closest("[popover]"))?.hidePopover();
      sheet?.showModal();
    } else if (target === sheet || target.closest("[data-shortcuts-close]")) sheet?.close();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.defaultPrevented || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOpen = this.#root.querySelector("dialog[open]") !== null;
    if (event.key === "?" && !isOpen) {
      event.preventDefault();
      this.#sheet()?.showModal();
    }
    if (event.key !== "/") return;
    const fields = [...this.#root.querySelectorAll("dialog[open] input[type=search], main input[type=search]")];
    const field = fields.find((each) => each.checkVisibility());
    if (!(field instanceof HTMLElement)) return;
    event.preventDefault();
    field.focus();
  }

  /** @returns {HTMLDialogElement | null} */
  #sheet() {
    return this.#root.querySelector("dialog#shortcuts");
  }
}
