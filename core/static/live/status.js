/**
 * What the page may say about itself: live, or since when it may be out of date.
 *
 * An honest word needs four things: the stream; whether, where there is none, asking gets answers;
 * the reads that fail although the stream is well; and whether anybody is signed in.
 */

import { Signal } from "./signal.js";

/** @typedef {import("./connection.js").State | "stale"} Word */
/** @typedef {{state: Word, since: number, signedOut: boolean}} Report `since`: last known to be true, wall clock */

const STALE_AFTER_MS = 10_000;

/** After so long without another round, asking has stopped: the machine slept, or nobody looked. */
const ASKED_FOR_MS = 30_000;

export class Status {
  #clock;

  /** @type {import("./connection.js").State} */
  #connection = "connecting";
  #troubled = false;
  #signedOut = false;

  /** How the last round of asking went, while there is no stream. @type {boolean | null} */
  #answered = null;

  /** When all that is shown was last known to be true. */
  #since;
  #isOverdue = false;

  /** @type {(() => void) | null} */
  #cancel = null;
  #forgetAnswer = () => {};

  /** @type {Signal<Report>} */
  changed = new Signal();

  /** @param {import("./clock.js").Clock} clock */
  constructor(clock) {
    this.#clock = clock;
    this.#since = clock.wall();
    this.#judge();
  }

  /** @returns {Report} */
  get report() {
    return { state: this.#word(), since: this.#since, signedOut: this.#signedOut };
  }

  /** @param {import("./connection.js").State} state */
  connection(state) {
    this.#connection = state;
    if (state === "live") this.#note(null);
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

  /**
   * The stream said something: what is shown is true at this moment, but for what is owed.
   *
   * @param {boolean} owed whether something shown is known to be old
   */
  heard(owed) {
    if (!owed && this.#connection === "live" && this.#isWell()) this.#since = this.#clock.wall();
  }

  /**
   * Everything shown was asked for, one after the other.
   *
   * @param {import("./poller.js").Round} round
   */
  asked({ answered, began }) {
    this.#note(answered);
    if (this.#isWell()) this.#since = began;
    this.#judge();
  }

  /** @param {boolean | null} answered */
  #note(answered) {
    this.#forgetAnswer();
    this.#answered = answered;
    this.#forgetAnswer = answered ? this.#clock.after(ASKED_FOR_MS, () => this.#tire()) : () => {};
  }

  #tire() {
    this.#note(false);
    this.#judge();
  }

  #judge() {
    if (this.#isWell()) {
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
    if (this.#troubled || this.#signedOut) return false;
    if (this.#connection === "live") return true;
    return this.#answered ?? this.#connection === "degraded";
  }

  /** @returns {Word} */
  #word() {
    if (this.#signedOut) return "stale";
    if (this.#isOverdue) return this.#connection === "offline" ? "offline" : "stale";
    return this.#answered && this.#connection !== "live" ? "degraded" : this.#connection;
  }
}
