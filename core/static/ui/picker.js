import { make } from "./pieces.js";

const BOX = 'input[type=checkbox][name="media_ids"]';
let count = 0;

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
    root.addEventListener("form:done", (event) => this.#of(event)?.clear(), until);
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

/** What is chosen in one picker. */
class Choice {
  #picker;
  #form;
  #button;
  #label;
  #hint = make("p", { class: "hint", id: `picker-hint-${(count += 1)}` }, "Choose at least one video.");
  /** @type {Set<string>} */
  #chosen = new Set();
  /** @type {string | null} */
  #last = null;

  /** @param {Element} picker */
  constructor(picker) {
    this.#picker = picker;
    this.#form = picker.querySelector("form[method=post]");
    const button = picker.querySelector("[data-picker-label]");
    this.#button = button instanceof HTMLButtonElement ? button : null;
    this.#label = this.#button?.textContent ?? "";
    this.#button?.before(this.#hint);
    for (const box of this.#boxes()) if (box.checked) this.#chosen.add(box.value);
    this.#show();
  }

  get size() {
    return this.#chosen.size;
  }

  /** @param {HTMLInputElement} box */
  tick(box) {
    if (box.checked) this.#chosen.add(box.value);
    else this.#chosen.delete(box.value);
    this.#show();
  }

  /**
   * @param {HTMLInputElement} box
   * @param {boolean} withShift all from the one clicked before to this one become as this one is
   */
  click(box, withShift) {
    const boxes = this.#boxes();
    const from = boxes.findIndex((each) => each.value === this.#last);
    const to = boxes.indexOf(box);
    if (withShift && from >= 0 && to >= 0) {
      for (const each of boxes.slice(Math.min(from, to), Math.max(from, to) + 1)) {
        each.checked = box.checked;
        this.tick(each);
      }
    }
    this.#last = box.value;
  }

  /** Tick again what an update has drawn anew. */
  restore() {
    for (const box of this.#boxes()) box.checked = this.#chosen.has(box.value);
    this.#show();
  }

  clear() {
    this.#chosen.clear();
    this.#last = null;
    this.restore();
  }

  /** Say why nothing happens, and bring the keyboard to where something can be chosen. */
  explain() {
    this.#hint.setAttribute("role", "alert");
    this.#hint.replaceChildren(...this.#hint.childNodes);
    this.#boxes()[0]?.focus();
  }

  #boxes() {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.#picker.querySelectorAll(BOX));
    return [...boxes].filter((box) => !box.disabled);
  }

  #show() {
    this.#keepUnseen();
    const size = this.#chosen.size;
    for (const place of this.#picker.querySelectorAll("[data-picker-count]")) place.textContent = String(size);
    for (const clear of this.#picker.querySelectorAll("[data-picker-clear]")) {
      if (clear instanceof HTMLButtonElement) clear.disabled = size === 0;
    }
    if (this.#button) this.#showButton(this.#button, size);
  }

  /** What is chosen and not on this page of the list is sent too. */
  #keepUnseen() {
    for (const kept of this.#picker.querySelectorAll("[data-picker-kept]")) kept.remove();
    const seen = new Set(this.#boxes().map((box) => box.value));
    for (const value of this.#chosen) {
      if (seen.has(value)) continue;
      const name = "media_ids";
      this.#form?.append(make("input", { type: "hidden", name, value, "data-picker-kept": true }));
    }
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {number} size
   */
  #showButton(button, size) {
    const [one = "", many = one] = (button.dataset["pickerLabel"] ?? "").split("|");
    button.textContent = size === 0 ? this.#label : (size === 1 ? one : many).replace("{n}", String(size));
    // Not `disabled`: the keyboard still reaches it, and hears why.
    button.toggleAttribute("aria-disabled", size === 0);
    if (size === 0) button.setAttribute("aria-disabled", "true");
    button.setAttribute("aria-describedby", size === 0 ? this.#hint.id : "");
    this.#hint.hidden = size > 0;
    if (size > 0) this.#hint.removeAttribute("role");
  }
}
