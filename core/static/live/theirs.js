import { Field } from "./fields.js";
import { _ } from "./texts.js";

const SHOWN_CHARACTERS = 60;

/**
 * A field that two people changed.
 *
 * @typedef {object} Dispute
 * @property {Field} field
 * @property {string} base what both began with
 * @property {string} theirs
 * @property {string | null} was what the form's `was.` field says of theirs
 * @property {HTMLElement} control
 */

/** @type {WeakMap<Element, Dispute>} by the field's element and by the control */
const disputes = new WeakMap();

/** What people put into the fields of an element, across one morph. */
export class OwnInput {
  #root;
  /** @type {Map<Element, {field: Field, mine: string | null, said: string}>} by each element of a field */
  #touched = new Map();
  /** @type {Map<Element, string>} what hidden fields said */
  #hidden = new Map();

  /** @param {Element} root */
  constructor(root) {
    this.#root = root;
  }

  /** To be called before the morph changes an element. @param {Element} element */
  touch(element) {
    if (element instanceof HTMLInputElement && element.type === "hidden") this.#hidden.set(element, element.value);
    if (this.#touched.has(element)) return;
    const field = Field.of(element);
    if (!field) return;
    const own = { field, mine: field.isEdited ? field.live : null, said: field.server };
    for (const member of field.members) this.#touched.set(member, own);
  }

  /** Puts people's input back, shows the server's where nobody typed, and asks where both changed. */
  restore() {
    for (const own of new Set(this.#touched.values())) this.#restore(own);
    for (const control of [...this.#root.getElementsByClassName("field-theirs")]) {
      const lead = disputes.get(control)?.field.lead;
      if (!lead || !this.#root.contains(lead)) control.remove();
    }
  }

  /** @param {{field: Field, mine: string | null, said: string}} own */
  #restore({ field: before, mine, said }) {
    const lead = before.members.find((member) => this.#root.contains(member));
    // A group of radio buttons may have got and lost some.
    const field = lead && Field.of(lead);
    if (!field) return;
    if (mine === null) follow(field);
    else this.#keep(field, mine, said);
  }

  /** @param {Field} field @param {string} mine @param {string} said */
  #keep(field, mine, said) {
    field.show(mine);
    const theirs = field.server;
    const base = disputes.get(field.lead)?.base ?? said;
    if (theirs === mine || theirs === base) {
      settle(field.lead);
      return;
    }
    dispute(field, base, theirs);
    // Until the person decides, a save has to say what it was based on: that is how the server notices.
    const was = field.was && this.#hidden.get(field.was);
    if (field.was && was !== undefined && was !== null) field.was.value = was;
  }
}

/** @param {Field} field */
function follow(field) {
  settle(field.lead);
  field.show(field.server);
}

/** @param {Field} field @param {string} base @param {string} theirs */
function dispute(field, base, theirs) {
  const control = disputes.get(field.lead)?.control ?? makeControl(field.lead.ownerDocument);
  const found = { field, base, theirs, was: field.was?.value ?? null, control };
  disputes.set(field.lead, found);
  disputes.set(control, found);
  field.lead.dataset["theirs"] = theirs;
  const text = _("Use theirs: “{text}”", { text: shortened(field.word(theirs)) });
  const button = /** @type {HTMLElement} */ (control.querySelector("[data-use-theirs]"));
  if (button.textContent !== text) button.textContent = text;
  const anchor = anchorOf(field);
  if (anchor.nextSibling !== control) anchor.after(control);
}

/** Ends the question about a field, with the form saying that theirs was seen. @param {Element} lead */
function settle(lead) {
  const found = disputes.get(lead);
  if (!found) return;
  disputes.delete(lead);
  disputes.delete(found.control);
  lead.removeAttribute("data-theirs");
  found.control.remove();
}

/**
 * Makes the "keep mine / use theirs" buttons inside *root* work.
 *
 * @param {Document | Element} root
 * @returns {() => void} undoes it
 */
export function bindTheirs(root) {
  const stop = new AbortController();
  const options = { signal: stop.signal };
  root.addEventListener("click", onClick, options);
  root.addEventListener("input", onInput, options);
  root.addEventListener("reset", onReset, options);
  return () => stop.abort();
}

/** @param {Event} event */
function onClick(event) {
  if (!(event.target instanceof Element)) return;
  const button = event.target.closest("[data-keep-mine], [data-use-theirs]");
  const found = button && disputes.get(/** @type {Element} */ (button.closest(".field-theirs")));
  if (!button || !found) return;
  decide(found, button.hasAttribute("data-use-theirs"));
}

/** @param {Dispute} found @param {boolean} useTheirs */
function decide(found, useTheirs) {
  const { field, theirs } = found;
  seen(found);
  if (useTheirs) {
    field.show(theirs);
    Field.settled(field.lead);
    field.lead.dispatchEvent(new Event("change", { bubbles: true }));
  }
  (field.members.find((member) => member instanceof HTMLInputElement && member.checked) ?? field.lead).focus();
}

/** @param {Dispute} found */
function seen({ field, was }) {
  if (field.was && was !== null) field.was.value = was;
  settle(field.lead);
}

/** @param {Event} event */
function onInput(event) {
  if (!(event.target instanceof Element)) return;
  Field.typedIn(event.target);
  const found = disputes.get(event.target);
  if (found && found.field.live === found.theirs) seen(found);
}

/** @param {Event} event */
function onReset(event) {
  if (!(event.target instanceof HTMLFormElement)) return;
  for (const element of event.target.elements) {
    Field.settled(element);
    const found = disputes.get(element);
    if (found) seen(found);
  }
}

/** @param {Document} document */
function makeControl(document) {
  const control = document.createElement("span");
  control.className = "field-theirs";
  control.setAttribute("role", "status");
  const [keep, use] = [button(document, "data-keep-mine"), button(document, "data-use-theirs")];
  keep.textContent = _("Keep mine");
  control.append(_("Changed meanwhile: "), keep, " ", use);
  return control;
}

/** @param {Document} document @param {string} attribute */
function button(document, attribute) {
  const made = document.createElement("button");
  made.type = "button";
  made.setAttribute(attribute, "");
  return made;
}

/** A button inside a label would be part of the field's name. @param {Field} field @returns {Element} */
function anchorOf(field) {
  const last = /** @type {Element} */ (field.members.at(-1));
  if (field.members.length === 1) return last.closest("label") ?? last;
  let around = field.lead.parentElement;
  while (around && !around.contains(last)) around = around.parentElement;
  if (around && !around.matches("form, fieldset, label")) return around;
  return last.closest("label") ?? last;
}

/** @param {string} text */
function shortened(text) {
  const characters = [...text];
  return characters.length <= SHOWN_CHARACTERS ? text : `${characters.slice(0, SHOWN_CHARACTERS - 1).join("")}…`;
}
