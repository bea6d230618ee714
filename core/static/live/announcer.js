import { _, ngettext } from "./texts.js";

/** @typedef {Pick<import("./changes.js").Found, "added" | "removed" | "moved" | "from">} ListChanges */
/** @typedef {"added" | "removed" | "moved in" | "moved to"} Verb */
/** @typedef {{count: number, noun: string, verb: Verb, name: string | null}} Tally */

const BATCH_MS = 1000;
const MESSAGE_MS = 50;

/** Says politely, in the page's one `role=status`, what others changed, and messages. */
export class Announcer {
  #element;
  #later;
  /** @type {Map<string, Tally>} */
  #tallies = new Map();
  /** @type {string[]} */
  #messages = [];

  /** @param {{element: Element, setTimeout?: (run: () => void, ms: number) => unknown}} outside */
  constructor({ element, setTimeout = globalThis.setTimeout }) {
    this.#element = element;
    // A browser's own timer refuses to be called as a method.
    this.#later = (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms);
  }

  /**
   * Says, within a second and together with what else comes, what a morph did to a region's lists:
   * the elements with `data-announce` (a plural noun) and perhaps `data-announce-name`.
   *
   * @param {Element} region
   * @param {ListChanges} changes
   */
  updated(region, { added, removed, moved, from }) {
    const first = this.#tallies.size === 0;
    for (const element of added) this.#count(region, element.parentElement, "added");
    for (const element of removed) this.#count(region, from.get(element), "removed");
    for (const element of moved) {
      const inside = from.get(element) === element.parentElement;
      this.#count(region, element.parentElement, inside ? "moved in" : "moved to");
    }
    if (first && this.#tallies.size > 0) this.#later(() => this.#sayTallies(), BATCH_MS);
  }

  /** @param {string} text */
  say(text) {
    this.#messages.push(text);
    if (this.#messages.length === 1) this.#later(() => this.#sayMessages(), MESSAGE_MS);
  }

  /**
   * @param {Element} region
   * @param {Element | null | undefined} list
   * @param {Verb} verb
   */
  #count(region, list, verb) {
    const noun = list?.getAttribute("data-announce");
    if (!list || !noun || list === region.parentElement) return;
    const name = list.getAttribute("data-announce-name");
    const kind = JSON.stringify([noun, verb, name]);
    const tally = this.#tallies.get(kind) ?? { count: 0, noun, verb, name };
    tally.count += 1;
    this.#tallies.set(kind, tally);
  }

  #sayTallies() {
    const texts = [...this.#tallies.values()].map(sentence);
    this.#tallies.clear();
    this.#write(texts.join(". "));
  }

  #sayMessages() {
    this.#write(this.#messages.join(" "));
    this.#messages = [];
  }

  /** @param {string} text */
  #write(text) {
    // The same text again is no change, so a screen reader would not read it.
    const again = this.#element.textContent === text;
    this.#element.textContent = again ? `${text}\u00a0` : text;
  }
}

/** @param {Tally} tally */
function sentence({ count, noun, verb, name }) {
  const what = counted(noun, count);
  switch (verb) {
    case "added":
      return name ? _("{what} added to {name}", { what, name }) : _("{what} added", { what });
    case "removed":
      return name ? _("{what} removed from {name}", { what, name }) : _("{what} removed", { what });
    case "moved in":
      return name ? _("{what} moved in {name}", { what, name }) : _("{what} moved", { what });
    default:
      return name ? _("{what} moved to {name}", { what, name }) : _("{what} moved", { what });
  }
}

/**
 * A noun that no template of ours says stays as it is.
 *
 * @param {string} noun
 * @param {number} count
 */
function counted(noun, count) {
  switch (noun) {
    case "videos":
      return ngettext("{num} video", "{num} videos", count);
    case "chapters":
      return ngettext("{num} chapter", "{num} chapters", count);
    case "courses":
      return ngettext("{num} course", "{num} courses", count);
    case "members":
      return ngettext("{num} member", "{num} members", count);
    case "captions":
      return ngettext("{num} caption", "{num} captions", count);
    case "uses":
      return ngettext("{num} use", "{num} uses", count);
    case "uploads":
      return ngettext("{num} upload", "{num} uploads", count);
    default:
      return `${count} ${count === 1 ? noun.replace(/s$/, "") : noun}`;
  }
}
