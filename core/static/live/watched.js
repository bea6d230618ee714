/** One key that the page shows, and who shows it. */

import { Entry } from "./entry.js";

/** @typedef {import("./stamps.js").Stamp} Stamp */

/**
 * @typedef {object} Shown new data
 * @property {"shown"} kind
 * @property {import("./reader.js").Fresh} answer its `key` is the one to watch from now on
 * @property {import("./entry.js").Want} want what called for it
 */
/** @typedef {{kind: "same", stamp: Stamp | null}} Same what is shown is still so, at this stamp */
/** @typedef {{kind: "waiting"}} Waiting a read has begun */
/** @typedef {{kind: "gone"} | {kind: "signed-out"}} Refused */
/** @typedef {{kind: "failed", status: number}} Failed it will be tried again */
/** @typedef {Shown | Same | Waiting | Refused | Failed} Update */
/** @typedef {(update: Update) => void} Listener */

export class Watched {
  /** @type {Set<Listener>} */
  listeners = new Set();

  /** How many reads that were owed have failed since one succeeded. */
  #failures = 0;

  /** Whether anything of this key stands on the page. */
  shows;

  /** Whether a person of this page asked for what is owed: that is read although others' changes wait. */
  asked = false;

  /** Whether the server's last word was that there is nothing, or nothing for this user. */
  refused = false;

  /** Takes back the read that is to begin later, if there is one. */
  cancel = () => {};

  /** Whether the server answers the read under way; of none, it did. @type {Promise<boolean>} */
  reading = Promise.resolve(true);

  /**
   * @param {Stamp | null} stamp
   * @param {boolean} shows
   */
  constructor(stamp, shows) {
    this.entry = new Entry(stamp);
    this.shows = shows;
  }

  /** Whether what is shown is known to be old, and cannot be brought up to date. */
  get isTroubled() {
    return this.#failures > 0;
  }

  /**
   * A read has ended.
   *
   * @param {import("./reader.js").Answer} answer
   * @param {import("./entry.js").Want} byDefault who called for it when nobody did
   * @param {import("./backoff.js").Backoff} backoff
   * @returns {number} how long to wait before what is still owed is read
   */
  take(answer, byDefault, backoff) {
    switch (answer.kind) {
      case "fresh":
      case "same": {
        const want = this.entry.accept(answer);
        if (want === "late") return this.#tryAgain(backoff);
        this.#settled(false);
        if (answer.kind === "same") this.tell({ kind: "same", stamp: this.entry.stamp });
        else this.tell({ kind: "shown", answer, want: want ?? byDefault });
        return 0;
      }
      case "bad-floor":
        this.entry.forgetStamps();
        return this.#tryAgain(backoff);
      case "failed":
        this.entry.fail();
        this.tell(answer);
        // Everybody was told the same, so they come back one by one after it.
        return answer.retry_ms + this.#tryAgain(backoff);
      case "gone":
      case "signed-out":
        this.entry.abandon();
        this.#settled(true);
        this.tell(answer);
        return 0;
    }
  }

  /** @param {boolean} refused */
  #settled(refused) {
    this.#failures = 0;
    this.refused = refused;
    this.shows ||= !refused;
  }

  /** @param {import("./backoff.js").Backoff} backoff */
  #tryAgain(backoff) {
    const wait_ms = backoff(this.#failures);
    if (this.entry.owed) this.#failures += 1;
    return Math.max(1, wait_ms);
  }

  /** @param {Update} update */
  tell(update) {
    for (const listener of [...this.listeners]) listener(update);
  }
}
