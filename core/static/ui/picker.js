import { BOX, Choice } from "./choice.js";

/** Choosing among many: what is ticked stays chosen while searches and pages come and go. */
export class Picker {
  #root;
  /** @type {WeakMap<Element, Choice>} */
  #choices = new WeakMap();

  /** @param {{root: Document | HTMLElement}} outside */
  constructor({ root }) {
    this.#root = root;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    const root = this.#root;
    for (const picker of root.querySelectorAll("[data-picker]")) this.#choice(picker);
    root.addEventListener("sheet:open", (event) => this.#onOpen(event), until);
    root.addEventListener("live:updated", (event) => this.#of(event)?.restore(), until);
    root.addEventListener("live:gone", (event) => this.#of(event)?.restore(), until);
    root.addEventListener("form:done", (event) => this.#onDone(event), until);
    root.addEventListener("picker:done", (event) => this.#of(event)?.clear(), until);
    root.addEventListener("mousedown", (event) => this.#onMouseDown(event), until);
    root.addEventListener("click", (event) => this.#onClick(/** @type {MouseEvent} */ (event)), until);
    root.addEventListener("change", (event) => this.#onChange(event), until);
    // Before the forms hear of it.
    root.addEventListener("submit", (event) => this.#onSubmit(event), { ...until, capture: true });
    return () => ending.abort();
  }

  /** @param {Element} picker */
  #choice(picker) {
    const known = this.#choices.get(picker);
    const choice = known ?? new Choice(picker);
    if (!known) this.#choices.set(picker, choice);
    return choice;
  }

  /** @param {Event} event */
  #of({ target }) {
    const picker = target instanceof Element ? target.closest("[data-picker]") : null;
    return picker ? this.#choice(picker) : null;
  }

  /** @param {Event} event */
  #onOpen({ target }) {
    if (!(target instanceof Element)) return;
    for (const picker of target.querySelectorAll("[data-picker]")) this.#choice(picker);
  }

  /** What was chosen is linked; perhaps by a dialog that the picker opened. @param {Event} event */
  #onDone(event) {
    const { target } = event;
    const byDialog = target instanceof Element && target.matches("[data-links-chosen]");
    const shelf = byDialog ? document.querySelector("[data-shelf]") : null;
    if (shelf) this.#choice(shelf).clear();
    else this.#of(event)?.clear();
  }

  /** @param {Event} event */
  #onMouseDown(event) {
    const { shiftKey } = /** @type {MouseEvent} */ (event);
    const row = event.target instanceof Element ? event.target.closest("label") : null;
    // Otherwise the browser marks the text in between.
    if (shiftKey && row?.querySelector(BOX)) event.preventDefault();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const choice = this.#of(event);
    const { target } = event;
    if (!choice || !(target instanceof Element)) return;
    if (target.closest("[data-picker-clear]")) choice.clear();
    else if (target.matches(BOX)) choice.click(/** @type {HTMLInputElement} */ (target), event.shiftKey);
  }

  /** @param {Event} event */
  #onChange(event) {
    const { target } = event;
    if (target instanceof HTMLInputElement && target.matches(BOX)) this.#of(event)?.tick(target);
  }

  /** @param {Event} event */
  #onSubmit(event) {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
    const choice = this.#of(event);
    if (!choice || choice.size > 0) return;
    event.preventDefault();
    choice.explain();
  }
}
