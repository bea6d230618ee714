import { make } from "../ui/pieces.js";
import { mistake, paragraphs } from "./finding.js";

/** @typedef {import("./finding.js").Finding} Finding */

/**
 * @typedef {object} Outside
 * @property {typeof window.fetch} fetch
 * @property {import("../live/clock.js").Clock} clock
 * @property {() => boolean} isHidden
 */

const EVERY_MS = 3_000;

/**
 * What the freshness guard has found, above the notices: nothing while there is nothing. Each worker
 * knows its own findings, and any of them may answer, so what one has told stays.
 */
export class Findings {
  #outside;

  /** @type {Map<string, number>} mistakes, each with how often it was found */
  #found = new Map();

  /** @type {Set<string>} texts that are counted already */
  #known = new Set();
  #count = make("strong");
  #list = make("ul");
  #cancel = () => {};
  #isOpen = false;

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
    this.element = make("details", { class: "inspect-findings" }, make("summary", {}, this.#count), this.#list);
    this.element.hidden = true;
  }

  start() {
    this.#isOpen = true;
    void this.#ask();
  }

  stop() {
    this.#isOpen = false;
    this.#cancel();
  }

  async #ask() {
    const { clock, fetch, isHidden } = this.#outside;
    if (!isHidden()) await this.#read(fetch);
    if (this.#isOpen) this.#cancel = clock.after(EVERY_MS, () => void this.#ask());
  }

  /**
   * That the server does not answer is told of by the journal.
   *
   * @param {typeof window.fetch} fetch
   */
  async #read(fetch) {
    try {
      const response = await fetch("/live/findings", { headers: { Accept: "application/json" } });
      if (response.ok) this.#take((await response.json()).findings);
    } catch {
      return;
    }
  }

  /** @param {Finding[]} told newest first */
  #take(told) {
    const fresh = told.filter(({ text }) => !this.#known.has(text)).reverse();
    if (fresh.length === 0) return;
    for (const finding of fresh) {
      this.#known.add(finding.text);
      const kind = mistake(finding);
      const times = (this.#found.get(kind) ?? 0) + 1;
      this.#found.delete(kind);
      this.#found.set(kind, times);
    }
    this.#draw();
  }

  #draw() {
    const mistakes = [...this.#found].reverse();
    this.#count.textContent = `${mistakes.length} ${mistakes.length === 1 ? "mistake" : "mistakes"} found by the freshness guard`;
    this.#list.replaceChildren(
      ...mistakes.map(([kind, times]) => make("li", {}, ...paragraphs(kind), times > 1 ? make("p", {}, `Found ${times} times.`) : "")),
    );
    this.element.hidden = false;
  }
}
