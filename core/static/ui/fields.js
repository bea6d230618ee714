import { Field as Watched } from "../live/fields.js";

/** The fields of a form: finding, filling, and taking as saved. */

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

/**
 * @param {HTMLFormElement} form
 * @returns {Field[]} in the order of the page
 */
export function fieldsOf(form) {
  return /** @type {Field[]} */ ([...form.elements].filter(isField));
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {Field[]}
 */
export function fieldsNamed(form, name) {
  return fieldsOf(form).filter((field) => field.name === name);
}

/**
 * The first field that somebody can fill.
 *
 * @param {HTMLFormElement} form
 * @returns {Field | undefined}
 */
export function firstField(form) {
  return fieldsOf(form).find((field) => field.type !== "hidden" && !field.disabled);
}

/**
 * The words beside the fields called *name*.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {string}
 */
export function labelOf(form, name) {
  const field = fieldsNamed(form, name).find((each) => each.type !== "hidden");
  const legend = field?.type === "radio" && field.closest("fieldset")?.querySelector("legend");
  const label = legend || field?.labels?.[0];
  const text = label?.textContent?.trim() || name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} value
 */
export function fill(form, name, value) {
  for (const field of fieldsNamed(form, name)) {
    if (isTicked(field)) field.checked = field.value === value;
    else field.value = value;
    // Whoever follows what people type must hear of this too.
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/**
 * Take what was sent as what is saved, so that it is nobody's half-typed text any more. What was
 * typed after sending stays half-typed.
 *
 * @param {HTMLFormElement} form
 * @param {FormData} sent
 */
export function takeAsSaved(form, sent) {
  for (const field of fieldsOf(form)) {
    if (field.type === "file" || field.type === "password") continue;
    const values = sent.getAll(field.name);
    if (values.includes(field.value)) Watched.settled(field);
    const saved = field.name.startsWith("was.") ? sent.get(field.name.slice(4)) : null;
    if (typeof saved === "string") field.value = saved;
    else if (isTicked(field)) field.defaultChecked = values.includes(field.value);
    else if (field instanceof HTMLSelectElement) chooseByDefault(field, values);
    else if (field.type !== "hidden" && typeof values[0] === "string") field.defaultValue = values[0];
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {FormDataEntryValue[]} values
 */
function chooseByDefault(select, values) {
  const chosen = select.value;
  for (const option of select.options) option.defaultSelected = values.includes(option.value);
  // An attribute that comes or goes may move the choice itself.
  select.value = chosen;
}

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
export function isTicked(field) {
  return field.type === "checkbox" || field.type === "radio";
}

/** @param {Element} element */
function isField(element) {
  return (
    element instanceof HTMLInputElement ||
    element instanceof HTMLSelectElement ||
    element instanceof HTMLTextAreaElement
  );
}
