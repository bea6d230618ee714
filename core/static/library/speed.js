const WINDOW_MS = 8_000;

/** How fast something goes, by what it did in the last seconds. */
export class Speed {
  #now;
  /** @type {{at: number, bytes: number}[]} */
  #marks = [];

  /** @param {() => number} now milliseconds that only grow */
  constructor(now) {
    this.#now = now;
  }

  /** @param {number} bytes done so far */
  mark(bytes) {
    const at = this.#now();
    const last = this.#marks.at(-1);
    if (last && bytes < last.bytes) this.#marks = []; // a part is sent again
    this.#marks.push({ at, bytes });
    while (this.#marks.length > 2 && at - (this.#marks[0]?.at ?? at) > WINDOW_MS) this.#marks.shift();
  }

  /** Forget what was: after a pause, the time of which is nobody's speed. */
  reset() {
    this.#marks = [];
  }

  /** Bytes a second; null while nobody can know. */
  get perSecond() {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (!first || !last || last.at - first.at < 500) return null;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }
}
