/**
 * What this page knows of one key, and what it is still owed. No input or output: `store.js` does
 * the reading.
 *
 * Three races are settled here.
 *
 * 1. A notice during a read. One more read follows only if the answer does not hold it already:
 *
 *        server   reads at 41 ───► publishes 42
 *        page     asks ──────────────── hears 42 ──── answer @41: read again
 *        page     asks ──────────────── hears 42 ──── answer @42: that was it
 *
 * 2. A change without a number (Redis is away). Nothing can prove that a read under way saw it,
 *    so such a want is `fresh`: only a read that begins later satisfies it.
 *
 * 3. A new generation during a read (Redis lost its data). Stamps of the two have no order, so the
 *    answer of the old one is not shown:
 *
 *        server   reads at a-41 ──► restarts as b
 *        page     asks ──────────────── hears b-1 ──── answer @a-41: late
 */

import { higher } from "./stamps.js";

/** @typedef {import("./stamps.js").Stamp} Stamp */
/** @typedef {import("./reader.js").Fresh | import("./reader.js").Same} Answer */

/**
 * @typedef {object} Want something newer than what is shown, and who called for it
 * @property {Stamp | null} floor
 * @property {boolean} fresh
 * @property {string} cause
 * @property {string} trace
 * @property {boolean} own only this page's own actions called for it
 * @property {number} since when the first call came, by the clock's `now`
 */

export class Entry {
  /**
   * A lower bound: what is shown is at least as new as this.
   *
   * @type {Stamp | null}
   */
  stamp;

  /** @type {import("./reader.js").Fresh | null} the last body, when one was ever read */
  body = null;

  reading = false;

  /** @type {Want | null} */
  #wanted = null;

  /** @type {Want | null} what the read under way was sent for */
  #asked = null;

  /** @param {Stamp | null} stamp */
  constructor(stamp) {
    this.stamp = stamp;
  }

  /** Whether a read should begin (once the one under way, if any, has ended). */
  get owed() {
    return this.#wanted !== null;
  }

  /**
   * Ask for newer data; nothing happens when what is shown is new enough.
   *
   * @param {Want} want
   */
  want(want) {
    if (!satisfies(this.stamp, want)) this.#wanted = merge(this.#wanted, want);
  }

  /**
   * A read begins: whatever is wanted now, it will see.
   *
   * @returns {{floor: Stamp | null, etag: string | null, held: string | null}} its conditions
   */
  begin() {
    this.reading = true;
    this.#asked = this.#wanted;
    this.#wanted = null;
    const { etag = null, html: held = null } = this.body ?? {};
    return { floor: higher(this.stamp, this.#asked?.floor ?? null), etag, held };
  }

  /**
   * The read ended with data.
   *
   * @param {Answer} answer
   * @returns {Want | null | "late"} what called for it, if anything did; late data is not shown
   */
  accept(answer) {
    const asked = this.#end();
    if (this.#isLate(answer.stamp, asked)) {
      this.#oweAgain(asked);
      return "late";
    }
    this.stamp = answer.stamp ?? this.stamp;
    if (answer.kind === "fresh") this.body = answer;
    const later = this.#wanted;
    if (later === null || !satisfies(answer.stamp, later)) return asked;
    this.#wanted = null;
    return merge(asked, later);
  }

  /** The read brought nothing: it is owed again, if it was. */
  fail() {
    this.#oweAgain(this.#end());
  }

  /**
   * What was known and wanted means nothing any more: the server refused, or spells the key anew.
   *
   * @returns {Want | null} what the read was sent for
   */
  abandon() {
    this.#wanted = null;
    this.body = null;
    return this.#end();
  }

  /** The server has never been at our floor (it was restored from an old copy): ask without one. */
  forgetStamps() {
    const asked = this.#end();
    this.stamp = null;
    this.body = null;
    this.#oweAgain(asked && { ...asked, floor: null, fresh: true });
  }

  /** @returns {Want | null} */
  #end() {
    const asked = this.#asked;
    this.#asked = null;
    this.reading = false;
    return asked;
  }

  /** @param {Want | null} asked */
  #oweAgain(asked) {
    this.#wanted = merge(asked, this.#wanted);
  }

  /**
   * @param {Stamp | null} stamp
   * @param {Want | null} asked
   */
  #isLate(stamp, asked) {
    if (stamp === null) return false;
    const called = this.#wanted?.floor ?? null;
    const voided = called !== null && !called.sameGeneration(stamp);
    return voided || stamp.isBefore(this.stamp) || stamp.isBefore(asked?.floor ?? null);
  }
}

/**
 * Whether data stamped so holds what `want` is about.
 *
 * @param {Stamp | null} stamp
 * @param {Want} want
 */
function satisfies(stamp, want) {
  return !want.fresh && want.floor !== null && stamp !== null && stamp.reaches(want.floor);
}

/**
 * @param {Want | null} first
 * @param {Want | null} then
 * @returns {Want | null}
 */
function merge(first, then) {
  if (first === null || then === null) return first ?? then;
  return {
    floor: higher(first.floor, then.floor),
    fresh: first.fresh || then.fresh,
    cause: then.cause,
    trace: then.trace,
    own: isSameChange(first, then) ? first.own || then.own : first.own && then.own,
    since: first.since,
  };
}

/**
 * Our own action's answer and the stream tell of one change with one stamp, in either order.
 *
 * @param {Want} a
 * @param {Want} b
 */
function isSameChange(a, b) {
  return a.floor !== null && String(a.floor) === String(b.floor);
}
