import { closeButton, make } from "../ui/pieces.js";
import { Item } from "./item.js";

/** @typedef {import("./journal.js").Entry} Entry */

/** @type {Record<number, string>} */
const TROUBLES = {
  0: "The server does not answer. It is asked again every few seconds.",
  401: "You are signed out. Sign in again to go on.",
  404: "You may not see why screens move: that is for the staff of this site.",
};

/** The panel at the edge of the page: the notices as they come, newest first. */
export class Panel {
  #outside;

  /** @type {Map<string, Item>} by stamp */
  #items = new Map();

  /** @type {Entry[]} */
  #entries = [];
  #isHeld = false;
  #list = make("ol", { class: "inspect-list", "aria-label": "Notices, newest first" });
  #empty = make("p", { class: "inspect-empty" }, "Nothing has been written yet. What happens from now on shows here.");
  #trouble = make("p", { class: "inspect-trouble", role: "status" });
  #only = make("input", { type: "checkbox" });
  #hold = make("button", { type: "button", class: "button", "aria-pressed": "false" }, "Hold");
  #closing = closeButton("Close the live inspector");

  /**
   * @param {import("./item.js").Outside & {findings: HTMLElement, close: () => void}} outside
   */
  constructor(outside) {
    this.#outside = outside;
    this.#trouble.hidden = true;
    this.element = make(
      "aside",
      { class: "inspect", "aria-labelledby": "inspect-title", "data-live-aside": true },
      make(
        "header",
        {},
        make("h2", { id: "inspect-title" }, "Live inspector"),
        make("label", { class: "inspect-only" }, this.#only, "Only this page"),
        this.#hold,
        this.#closing,
      ),
      this.#trouble,
      outside.findings,
      this.#empty,
      this.#list,
    );
    this.#closing.addEventListener("click", () => outside.close());
    this.#only.addEventListener("change", () => this.#sieve());
    this.#hold.addEventListener("click", () => this.#toggleHold());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      outside.close();
    });
  }

  focus() {
    this.#closing.focus({ preventScroll: true });
  }

  /** @param {Entry[]} entries newest first */
  show(entries) {
    this.#entries = entries;
    if (this.#isHeld) {
      for (const item of this.#items.values()) item.draw();
      return;
    }
    const items = entries.map((entry) => [entry.notice.stamp, this.#item(entry)]);
    this.#items = new Map(/** @type {[string, Item][]} */ (items));
    let place = this.#list.firstElementChild;
    for (const { element } of this.#items.values()) {
      // What stands where it should is left alone: moving it would take the focus.
      if (element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(element, place);
    }
    while (place !== null) {
      const next = place.nextElementSibling;
      place.remove();
      place = next;
    }
    this.#sieve();
  }

  /** @param {number} status of the last answer */
  answered(status) {
    const text = status === 200 ? "" : (TROUBLES[status] ?? `The server answered ${status}. It is asked again.`);
    this.#trouble.hidden = text === "";
    if (this.#trouble.textContent !== text) this.#trouble.textContent = text;
  }

  /** @param {Entry} entry */
  #item(entry) {
    const item = this.#items.get(entry.notice.stamp) ?? new Item(entry, this.#outside);
    item.draw();
    return item;
  }

  #sieve() {
    let shown = 0;
    for (const item of this.#items.values()) {
      item.element.hidden = this.#only.checked && !item.isOfThisPage;
      if (!item.element.hidden) shown += 1;
    }
    this.#empty.hidden = shown > 0;
  }

  #toggleHold() {
    this.#isHeld = !this.#isHeld;
    this.#hold.setAttribute("aria-pressed", String(this.#isHeld));
    this.#hold.textContent = this.#isHeld ? "Go on" : "Hold";
    if (!this.#isHeld) this.show(this.#entries);
  }
}
