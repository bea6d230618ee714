import { conflictPanel } from "./conflict.js";
import { fieldsNamed } from "./fields.js";
import { make } from "./pieces.js";
import { _ } from "../live/texts.js";

/** @typedef {import("./answer.js").Problem} Problem */

let count = 0;

/** What a form says about a problem: a text of its own, and a text beside each field at fault. */
export class Complaint {
  #form;
  /** @type {Problem} */
  #problem;
  /** @type {{resubmit: () => void, here: () => string}} */
  #ways;
  /** @type {Element[]} */
  #shown = [];
  /** @type {Map<string, Element>} */
  #beside = new Map();

  /**
   * @param {HTMLFormElement} form
   * @param {Problem} problem
   * @param {{resubmit: () => void, here: () => string}} ways `here` is the page's own address
   */
  constructor(form, problem, ways) {
    this.#form = form;
    this.#problem = problem;
    this.#ways = ways;
  }

  /** Show it, and bring the keyboard to the first field at fault. */
  show() {
    const place = this.#form.querySelector("[data-errors]") ?? this.#form;
    const { detail, status, errors = {}, theirs, mine, uses } = this.#problem;
    const text = make("p", { role: "alert", class: "problem" }, detail);
    this.#put(place, text);
    if (status === 401) text.append(" ", ...this.#signIn());
    for (const [name, error] of Object.entries(errors)) this.#writeBeside(name, error, place);
    if (uses?.length) this.#put(place, usesList(uses));
    if (theirs && mine) this.#put(place, this.#conflict(theirs, mine));
    const field = [...this.#beside.keys()].map((name) => this.#fieldCalled(name)).find(Boolean);
    field?.focus();
  }

  clear() {
    for (const node of this.#shown) node.remove();
    this.#shown = [];
    for (const name of [...this.#beside.keys()]) this.clearField(name);
  }

  /**
   * Somebody mends the field: its text has done its work.
   *
   * @param {string} name
   */
  clearField(name) {
    const text = this.#beside.get(name);
    if (!text) return;
    this.#beside.delete(name);
    this.#shown = this.#shown.filter((node) => node !== text);
    text.remove();
    for (const field of fieldsNamed(this.#form, name)) {
      field.removeAttribute("aria-invalid");
      describe(field, (ids) => ids.filter((id) => id !== text.id));
    }
  }

  /**
   * @param {Element} place
   * @param {HTMLElement} node
   */
  #put(place, node) {
    // An update of the region around it leaves it where it is.
    node.dataset["liveAside"] = "";
    place.append(node);
    this.#shown.push(node);
  }

  /**
   * @param {string} name
   * @param {string} error
   * @param {Element} place for the text of a field that nobody sees
   */
  #writeBeside(name, error, place) {
    const field = this.#fieldCalled(name);
    const text = make("p", { class: "field-error", id: `field-error-${(count += 1)}` }, error);
    this.#put(field?.closest(".field") ?? place, text);
    if (!field) return;
    this.#beside.set(name, text);
    field.setAttribute("aria-invalid", "true");
    describe(field, (ids) => [...ids, text.id]);
  }

  /** @param {string} name */
  #fieldCalled(name) {
    return fieldsNamed(this.#form, name).find((field) => field.type !== "hidden");
  }

  /** In a tab of its own: what was typed here stays. */
  #signIn() {
    const href = `/sign-in?next=${encodeURIComponent(this.#ways.here())}`;
    const link = make("a", { href, target: "_blank" }, _("Sign in in a new tab"));
    return [link, _(", then try again here.")];
  }

  /**
   * @param {Record<string, unknown>} theirs
   * @param {Record<string, unknown>} mine
   */
  #conflict(theirs, mine) {
    return conflictPanel({
      form: this.#form,
      theirs,
      mine,
      keep: () => this.#ways.resubmit(),
      take: () => this.clear(),
    });
  }
}

/**
 * @param {Element} field
 * @param {(ids: string[]) => string[]} change
 */
function describe(field, change) {
  const ids = change((field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (ids.length) field.setAttribute("aria-describedby", ids.join(" "));
  else field.removeAttribute("aria-describedby");
}

/** @param {import("./answer.js").Use[]} uses */
function usesList(uses) {
  const list = make("ul", { class: "uses" });
  for (const use of uses) {
    const title = [use.chapter_title ?? use.title, use.course_title].filter(Boolean).join(" · ");
    // An address of ours, never one with a scheme.
    const own = /^\/(?![/\\])/.test(use.url ?? "");
    list.append(make("li", {}, own ? make("a", { href: use.url }, title || use.url) : title));
  }
  return list;
}
