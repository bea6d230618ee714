import { _ } from "./texts.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} FieldElement */

const NOT_FIELDS = new Set(["hidden", "submit", "button", "reset", "image", "file"]);

/** @type {WeakSet<Element>} fields a person has typed in since they were last saved or reset */
const typed = new WeakSet();

/** One thing that a person fills in: a field, or a group of radio buttons. */
export class Field {
  /** @type {FieldElement[]} */
  #members;

  /** @param {FieldElement[]} members the field; all of a group's radio buttons */
  constructor(members) {
    this.#members = members;
  }

  /**
   * The field that an element is, or is part of.
   *
   * @param {Element} element
   * @returns {Field | null}
   */
  static of(element) {
    if (!isField(element)) return null;
    return new Field(element.type === "radio" && element.name ? groupOf(element) : [element]);
  }

  /** What stands for the field across morphs. @returns {FieldElement} */
  get lead() {
    return /** @type {FieldElement} */ (this.#members[0]);
  }

  /** @returns {readonly FieldElement[]} */
  get members() {
    return this.#members;
  }

  /** What a person sees in it. */
  get live() {
    return this.#members.map(liveValue).join("");
  }

  /** What the server last said. */
  get server() {
    return this.#members.map(serverValue).join("");
  }

  get isEdited() {
    return this.live !== this.server || this.#members.some((field) => typed.has(field) && hasFocus(field));
  }

  /** The hidden field that tells the server what this one was when its editing began. */
  get was() {
    const found = this.lead.form?.elements.namedItem(`was.${this.lead.name}`);
    return found instanceof HTMLInputElement ? found : null;
  }

  /** @param {string} value as `live` gave it */
  show(value) {
    if (this.live === value) return;
    for (const member of this.#members) write(member, value);
  }

  /** Notes that a person typed in a field. @param {Element} element */
  static typedIn(element) {
    typed.add(element);
  }

  /** Notes that a field is as the server knows it. @param {Element} element */
  static settled(element) {
    typed.delete(element);
  }

  /** How a value of this field is called on the screen. @param {string} value */
  word(value) {
    const field = this.lead;
    if (field instanceof HTMLSelectElement) return optionWords(field, value);
    if (field.type === "checkbox") return value ? _("ticked") : _("not ticked");
    if (field.type !== "radio") return value;
    const chosen = this.#members.find((member) => member.value === value);
    return chosen?.labels?.[0]?.textContent?.trim() || value;
  }
}

/** @param {Element} element @returns {element is FieldElement} */
function isField(element) {
  if (element instanceof HTMLInputElement) return !NOT_FIELDS.has(element.type);
  return element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement;
}

/** The radio buttons of which one can be chosen. @param {FieldElement} element @returns {FieldElement[]} */
function groupOf(element) {
  const around = element.form?.elements ?? element.ownerDocument.querySelectorAll("input[type=radio]");
  return [...around]
    .filter(isField)
    .filter((other) => other.type === "radio" && other.name === element.name && other.form === element.form);
}

/** @param {FieldElement} field @returns {string} */
function liveValue(field) {
  if (field instanceof HTMLSelectElement) return chosen(field, (option) => option.selected);
  if (isTick(field)) return field.checked ? field.value : "";
  return field.value;
}

/** @param {FieldElement} field @returns {string} */
function serverValue(field) {
  if (field instanceof HTMLTextAreaElement) return field.defaultValue.replace(/\r\n?/g, "\n");
  if (isTick(field)) return field.defaultChecked ? field.value : "";
  if (!(field instanceof HTMLSelectElement)) return sanitized(field);
  const said = chosen(field, (option) => option.defaultSelected);
  return said || field.multiple ? said : (field.options[0]?.value ?? "");
}

/**
 * A browser changes some values on their way in: it trims an address, and refuses a word for a number.
 *
 * @param {HTMLInputElement} field
 */
function sanitized(field) {
  if (field.value === field.defaultValue) return field.value;
  const copy = /** @type {HTMLInputElement} */ (field.cloneNode());
  copy.value = field.defaultValue;
  return copy.value;
}

/** @param {FieldElement} field @param {string} value */
function write(field, value) {
  if (field instanceof HTMLSelectElement) choose(field, value);
  else if (isTick(field)) field.checked = value !== "" && field.value === value;
  else field.value = value;
}

/** @param {HTMLSelectElement} field @param {(option: HTMLOptionElement) => boolean} is */
function chosen(field, is) {
  return [...field.options].filter(is).map((option) => option.value).join("\n");
}

/** @param {HTMLSelectElement} field @param {string} value */
function choose(field, value) {
  if (!field.multiple) {
    field.value = value;
    return;
  }
  const values = value.split("\n");
  for (const option of field.options) option.selected = values.includes(option.value);
}

/** @param {HTMLSelectElement} field @param {string} value */
function optionWords(field, value) {
  const values = value.split("\n");
  return [...field.options].filter((option) => values.includes(option.value)).map((option) => option.text).join(", ");
}

/** @param {FieldElement} field @returns {field is HTMLInputElement} */
function isTick(field) {
  return field.type === "checkbox" || field.type === "radio";
}

/** @param {Element} element */
function hasFocus(element) {
  return element.ownerDocument.activeElement === element;
}
