/** One key that the page shows, and who shows it. */

import { Entry } from "./entry.js";

/** @typedef {import("./stamps.js").Stamp} Stamp */

/**
 * @typedef {object} Shown new data to show
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

  /** How many reads have failed since one succeeded. */
  attempts = 0;

  /** Whether anything of this key stands on the page. */
  shows;

  /** Whether the server's last word was that there is nothing, or nothing for this user. */
  refused = false;

  /** Takes back the read that is to begin later, if there is one. */
  cancel = () => {};

  /**
   * @param {Stamp | null} stamp
   * @param {boolean} shows
   */
  constructor(stamp, shows) {
    this.entry = new Entry(stamp);
    this.shows = shows;
  }

  /** @param {Update} update */
  tell(update) {
    for (const listener of [...this.listeners]) listener(update);
  }
}
