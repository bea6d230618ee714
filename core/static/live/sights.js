/**
 * What the page does about each frame that calls it: from the frame's arrival until all that it
 * named is painted.
 *
 *     frame arrives ──► read chapters:list:42 ──► answered ──┐
 *                  └──► read courses:detail:42 ──► answered ─┴─► painted
 *
 * 1. A key that shows it already (this page's own action read it again) takes no time.
 * 2. Nobody looks at a hidden page, or at one that was left: their sights end so.
 * 3. What could not be read within a minute has failed.
 */

import { keyPath } from "./keys.js";
import { Signal } from "./signal.js";

/** @typedef {import("./frames.js").Stale} Stale */
/** @typedef {import("./reader.js").Trip} Trip */
/** @typedef {"open" | "painted" | "hidden" | "left" | "failed"} State */

/**
 * @typedef {object} Sight
 * @property {Stale} frame
 * @property {number} arrived by the clock's `now`
 * @property {State} state
 * @property {number} ms from the arrival to the end
 * @property {Map<string, Trip | null>} reads of each key that is shown anew; null: it was already
 */

/**
 * @typedef {object} Outside
 * @property {Pick<import("./store.js").Store, "reaches" | "read">} store
 * @property {Pick<import("./reader.js").Reader, "trips">} reader
 * @property {Signal<import("./frames.js").Frame>} frames
 * @property {import("./clock.js").Clock} clock
 * @property {(run: () => void) => void} afterPaint
 * @property {() => boolean} isHidden
 */

const LONGEST_MS = 60_000;

export class Sights {
  #outside;

  /** @type {Set<Sight>} */
  #open = new Set();

  /** The last trip of each path, while anything is open. @type {Map<string, Trip>} */
  #trips = new Map();

  /** A sight has begun, gone on, or ended. @type {Signal<Sight>} */
  changed = new Signal();

  /** @param {Outside} outside whose store is called by the frames before this hears them */
  constructor(outside) {
    this.#outside = outside;
    outside.frames.subscribe((frame) => {
      if (frame.event === "stale") this.#begin(frame);
    });
    outside.reader.trips.subscribe((trip) => {
      if (this.#open.size > 0) this.#trips.set(trip.path, trip);
    });
    outside.store.read.subscribe((key) => this.#read(key));
  }

  /** Nobody looks any more. @param {"hidden" | "left"} state */
  leave(state) {
    for (const sight of this.#open) this.#end(sight, state);
  }

  /** @param {Stale} frame */
  #begin(frame) {
    const { clock, isHidden, store } = this.#outside;
    /** @type {Sight} */
    const sight = { frame, arrived: clock.now(), state: "open", ms: 0, reads: new Map() };
    this.#open.add(sight);
    if (frame.keys.length === 0) return this.#end(sight, "left");
    if (isHidden()) return this.#end(sight, "hidden");
    clock.after(LONGEST_MS, () => this.#end(sight, "failed"));
    for (const key of frame.keys) {
      if (store.reaches(key, frame.id)) sight.reads.set(key, null);
    }
    this.#go(sight);
  }

  /** @param {string} key */
  #read(key) {
    const path = keyPath(key);
    const trip = this.#trips.get(path) ?? null;
    for (const sight of this.#open) {
      const { frame, reads } = sight;
      if (!frame.keys.includes(key) || reads.has(key) || !this.#outside.store.reaches(key, frame.id)) continue;
      reads.set(key, trip);
      this.#go(sight);
    }
  }

  /** @param {Sight} sight */
  #go(sight) {
    this.changed.emit(sight);
    if (sight.reads.size < sight.frame.keys.length) return;
    this.#outside.afterPaint(() => this.#end(sight, "painted"));
  }

  /** @param {Sight} sight @param {State} state */
  #end(sight, state) {
    if (!this.#open.delete(sight)) return;
    if (this.#open.size === 0) this.#trips.clear();
    sight.state = state;
    sight.ms = this.#outside.clock.now() - sight.arrived;
    this.changed.emit(sight);
  }
}
