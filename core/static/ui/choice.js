import { make } from "./pieces.js";
import { _, formOf, number } from "../live/texts.js";

export const BOX = 'input[type=checkbox][name="media_ids"]';
let count = 0;

/** What is chosen in one picker. */
export class Choice {
  #picker;
  #form;
  #button;
  #label;
  #hint = make("p", { class: "hint", id: `picker-hint-${(count += 1)}` }, why());
  /** @type {Set<string>} */
  #chosen = new Set();
  /** @type {string | null} */
  #last = null;

  /** @param {Element} picker */
  constructor(picker) {
    this.#picker = picker;
    const button = picker.querySelector("[data-picker-label]");
    this.#button = button instanceof HTMLButtonElement ? button : null;
    this.#form = this.#button?.form ?? null;
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
    this.#hint.textContent = why();
    this.#boxes()[0]?.focus();
  }

  #boxes() {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.#picker.querySelectorAll(BOX));
    return [...boxes].filter((box) => !box.disabled);
  }

  #show() {
    this.#keepUnseen();
    const size = this.#chosen.size;
    this.#picker.toggleAttribute("data-chosen-any", size > 0);
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
   * Not `disabled`: the keyboard still reaches it, and hears why.
   *
   * @param {HTMLButtonElement} button
   * @param {number} size
   */
  #showButton(button, size) {
    const forms = (button.dataset["pickerLabel"] ?? "").split("|");
    this.#hint.hidden = size > 0;
    if (size > 0) {
      button.textContent = (forms[formOf(size, forms.length)] ?? "").replace("{n}", number(size));
      button.removeAttribute("aria-disabled");
      button.removeAttribute("aria-describedby");
      this.#hint.removeAttribute("role");
    } else {
      button.textContent = this.#label;
      button.setAttribute("aria-disabled", "true");
      button.setAttribute("aria-describedby", this.#hint.id);
    }
  }
}

function why() {
  return _("Choose at least one video.");
}
