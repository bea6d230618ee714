import { Signal } from "./signal.js";

/** @typedef {{answered: boolean, began: number}} Round answered: to the last question; began: wall clock */

const SOON_MS = 1_000; // a stream that opens again is sooner, and tells more

/**
 * The poller: asks for every key now and then, while no stream tells of changes.
 *
 * Each round begins after a wait of its own length, so that browsers which lost their streams
 * together do not ask together. It asks one key after the other and ends the round at the first
 * one that gets no answer: a server that is down is not helped by more questions.
 *
 * It starts before anybody knows that it is needed, when a stream begins to open; the first round
 * comes a little sooner than the others.
 */
export class Poller {
  #ask;
  #clock;
  #random;
  #every_ms;

  /** @type {Signal<Round>} */
  told = new Signal();

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
    if (this.#cancel === null) this.#after((0.5 + 0.5 * this.#random()) * this.#every_ms);
  }

  /** Somebody has come to look: the next round, if there is to be one, begins soon. */
  hasten() {
    if (this.#cancel === null) return;
    this.#cancel();
    this.#after(SOON_MS * (1 + this.#random()));
  }

  stop() {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** @param {number} wait_ms */
  #after(wait_ms) {
    this.#cancel = this.#clock.after(wait_ms, () => void this.#round());
  }

  async #round() {
    const turn = this.#cancel;
    const began = this.#clock.wall();
    let answered = null;
    for (const ask of this.#ask()) {
      answered = await ask();
      if (!answered) break;
    }
    // Stopped, or begun anew, while it asked.
    if (this.#cancel !== turn || turn === null) return;
    this.#after((0.5 + this.#random()) * this.#every_ms);
    if (answered !== null) this.told.emit({ answered, began });
  }
}
