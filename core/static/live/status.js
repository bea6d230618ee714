/**
 * What the page may say about itself: live, or since when it may be out of date.
 *
 * An honest word needs three things: the stream, the reads that fail although the stream is well,
 * and whether anybody is signed in.
 */

import { Signal } from "./signal.js";

/** @typedef {import("./connection.js").State | "stale"} Word */
/** @typedef {{state: Word, since: number, signedOut: boolean}} Report `since`: last known to be true */

const STALE_AFTER_MS = 10_000;

export class Status {
  #clock;

  /** @type {import("./connection.js").State} */
  #connection = "connecting";
  #troubled = false;
  #signedOut = false;

  /** When something was last heard while all was well. */
  #since;
  #isOverdue = false;

  /** @type {(() => void) | null} */
  #cancel = null;

  /** @type {Signal<Report>} */
  changed = new Signal();

  /** @param {import("./clock.js").Clock} clock */
  constructor(clock) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#judge();
  }

  /** @returns {Report} */
  get report() {
    return { state: this.#word(), since: this.#since, signedOut: this.#signedOut };
  }

  /** @param {import("./connection.js").State} state */
  connection(state) {
    this.#connection = state;
    this.#judge();
  }

  /** @param {boolean} troubled whether a read that is owed has failed */
  trouble(troubled) {
    this.#troubled = troubled;
    this.#judge();
  }

  /** @param {boolean} signedOut */
  signedOut(signedOut) {
    this.#signedOut = signedOut;
    this.#judge();
  }

  /** Something was heard: what is shown is true at this moment. */
  heard() {
    if (this.#isWell()) this.#since = this.#clock.now();
  }

  #judge() {
    if (this.#isWell()) {
      this.#since = this.#clock.now();
      this.#cancel?.();
      this.#cancel = null;
      this.#isOverdue = false;
    } else {
      // A moment without a stream is nobody's concern: it catches up by itself.
      this.#cancel ??= this.#clock.after(STALE_AFTER_MS, () => {
        this.#isOverdue = true;
        this.changed.emit(this.report);
      });
    }
    this.changed.emit(this.report);
  }

  #isWell() {
    const connected = this.#connection === "live" || this.#connection === "degraded";
    return connected && !this.#troubled && !this.#signedOut;
  }

  /** @returns {Word} */
  #word() {
    if (this.#signedOut) return "stale";
    if (this.#connection === "offline") return "offline";
    return this.#isOverdue ? "stale" : this.#connection;
  }
}
