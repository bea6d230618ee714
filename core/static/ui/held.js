import { Stamp } from "../live/stamps.js";

const PATIENCE_MS = 3000;

/**
 * Keeps what was moved where it was put (`data-dragging` holds the region's updates back) until the
 * region shows what the server made of it:
 *
 *     page     moves the row ── asks ────────────────────── answer @42 ── shows @42
 *     others                          @41: the row in its old place, held back
 */
export class Held {
  #later;
  /** @type {Set<HTMLElement>} */
  #items = new Set();
  /** How many answers are awaited. */
  #owed = 0;
  /** @type {Stamp | null} what the region has to reach */
  #stamp = null;

  /** @param {{setTimeout: (run: () => void, ms: number) => unknown}} outside */
  constructor({ setTimeout }) {
    this.#later = setTimeout;
  }

  /** @param {HTMLElement[]} items */
  hold(items) {
    this.#owed += 1;
    for (const item of items) {
      item.dataset["dragging"] = "held";
      this.#items.add(item);
    }
  }

  /**
   * An answer came.
   *
   * @param {Stamp | null} stamp of what was saved; null when nothing was, or nobody knows yet
   */
  settle(stamp) {
    this.#owed -= 1;
    if (stamp && (!this.#stamp || this.#stamp.isBefore(stamp) || !this.#stamp.sameGeneration(stamp))) {
      this.#stamp = stamp;
    }
    if (this.#owed > 0) return;
    if (stamp === null) this.release();
    else this.#later(() => this.#owed === 0 && this.release(), PATIENCE_MS);
  }

  /**
   * A region is about to show something.
   *
   * @param {Element} region
   * @param {string | null} text its stamp
   */
  meet(region, text) {
    if (this.#owed > 0 || ![...this.#items].some((item) => region.contains(item))) return;
    const stamp = Stamp.parse(text);
    if (stamp === null || this.#stamp === null || stamp.reaches(this.#stamp)) this.release();
  }

  release() {
    for (const item of this.#items) delete item.dataset["dragging"];
    this.#items.clear();
    this.#stamp = null;
  }
}
