/** @typedef {Pick<import("./changes.js").Found, "added" | "removed" | "moved" | "from">} ListChanges */
/** @typedef {{count: number, noun: string, rest: string}} Tally */

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
    for (const element of added) this.#count(region, element.parentElement, "added", "to");
    for (const element of removed) this.#count(region, from.get(element), "removed", "from");
    for (const element of moved) {
      const inside = from.get(element) === element.parentElement;
      this.#count(region, element.parentElement, "moved", inside ? "in" : "to");
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
   * @param {string} verb
   * @param {string} preposition
   */
  #count(region, list, verb, preposition) {
    const noun = list?.getAttribute("data-announce");
    if (!list || !noun || list === region.parentElement) return;
    const name = list.getAttribute("data-announce-name");
    const rest = name ? `${verb} ${preposition} ${name}` : verb;
    const tally = this.#tallies.get(`${noun} ${rest}`) ?? { count: 0, noun, rest };
    tally.count += 1;
    this.#tallies.set(`${noun} ${rest}`, tally);
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
function sentence({ count, noun, rest }) {
  return `${count} ${count === 1 ? noun.replace(/s$/, "") : noun} ${rest}`;
}
