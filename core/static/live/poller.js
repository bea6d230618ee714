/**
 * The poller: asks for every key now and then, while no stream tells of changes.
 *
 * Each round begins after a wait of its own length, so that browsers which lost their streams
 * together do not ask together. It asks one key after the other and ends the round at the first
 * one that gets no answer: a server that is down is not helped by more questions.
 */
export class Poller {
  #ask;
  #clock;
  #random;
  #every_ms;

  /** @type {(() => void) | null} takes back the next round; null while it rests */
  #cancel = null;

  /**
   * @param {object} outside
   * @param {() => Iterable<(() => Promise<boolean>)>} outside.ask what to do in a round, in order;
   *   each says whether it got an answer
   * @param {import("./clock.js").Clock} outside.clock
   * @param {() => number} outside.random
   * @param {number} [outside.every_ms] on average
   */
  constructor({ ask, clock, random, every_ms = 10_000 }) {
    this.#ask = ask;
    this.#clock = clock;
    this.#random = random;
    this.#every_ms = every_ms;
  }

  start() {
    if (this.#cancel === null) this.#next();
  }

  stop() {
    this.#cancel?.();
    this.#cancel = null;
  }

  #next() {
    this.#cancel = this.#clock.after((0.5 + this.#random()) * this.#every_ms, () => void this.#round());
  }

  async #round() {
    const turn = this.#cancel;
    for (const ask of this.#ask()) {
      if (!(await ask())) break;
    }
    // Stopped, or stopped and started, while it asked.
    if (this.#cancel === turn && turn !== null) this.#next();
  }
}
