/**
 * The journal: the last notices, as any worker of the server tells them, with what this page did
 * about each. It asks every second while somebody looks.
 */

import { Signal } from "../live/signal.js";
import { Stamp } from "../live/stamps.js";
import { isSightOf, merged } from "./notices.js";

/** @typedef {import("./notices.js").Notice} Notice */
/** @typedef {import("../live/sights.js").Sight} Sight */
/** @typedef {{notice: Notice, sight: Sight | null}} Entry */

/**
 * @typedef {object} Outside
 * @property {typeof window.fetch} fetch
 * @property {import("../live/clock.js").Clock} clock
 * @property {Signal<Sight>} sights
 * @property {() => boolean} isHidden
 */

const EVERY_MS = 1_000;
const AFTER_FAILURE_MS = 5_000;
const MOST = 100;

/** So many of the newest are asked for again: what was done about them is still being told. */
const AGAIN = 20n;

export class Journal {
  #outside;

  /** @type {Map<string, Entry>} by stamp */
  #entries = new Map();

  /** @type {Map<Sight, Sight | null>} each with the one before it */
  #sights = new Map();

  /** @type {Sight | null} */
  #last = null;

  /** @type {Stamp | null} of the newest notice */
  #newest = null;
  #cancel = () => {};
  #unsubscribe = () => {};
  #isOpen = false;

  /** The entries, newest first, whenever one has changed. @type {Signal<Entry[]>} */
  changed = new Signal();

  /** Whether the server answers, whenever it was asked; 404 is how it says no. @type {Signal<number>} */
  answered = new Signal();

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  start() {
    this.#isOpen = true;
    this.#unsubscribe = this.#outside.sights.subscribe((sight) => this.#see(sight));
    void this.#ask();
  }

  stop() {
    this.#isOpen = false;
    this.#cancel();
    this.#unsubscribe();
  }

  async #ask() {
    const { clock, fetch, isHidden } = this.#outside;
    let status = 200;
    if (!isHidden()) {
      status = await this.#read(fetch);
      if (!this.#isOpen) return;
      this.answered.emit(status);
    }
    this.#cancel = clock.after(status === 200 ? EVERY_MS : AFTER_FAILURE_MS, () => void this.#ask());
  }

  /**
   * @param {typeof window.fetch} fetch
   * @returns {Promise<number>} the status; 0 for no answer
   */
  async #read(fetch) {
    const newest = this.#newest?.sequence ?? 0n;
    const since = newest > AGAIN ? newest - AGAIN : 0n;
    try {
      const response = await fetch(`/live/traces?since=${since}&most=${MOST}`, { headers: { Accept: "application/json" } });
      if (response.ok) this.#take((await response.json()).traces);
      return response.status;
    } catch {
      return 0;
    }
  }

  /** @param {Notice[]} told newest first */
  #take(told) {
    for (const notice of told.toReversed()) {
      const stamp = Stamp.parse(notice.stamp);
      if (stamp === null) continue;
      if (this.#newest !== null && !stamp.sameGeneration(this.#newest)) this.#entries.clear();
      if (this.#newest === null || !stamp.isBefore(this.#newest)) this.#newest = stamp;
      const known = this.#entries.get(notice.stamp);
      if (known !== undefined) known.notice = merged(known.notice, notice);
      else this.#entries.set(notice.stamp, { notice, sight: this.#sightOf(notice) });
    }
    for (const stamp of [...this.#entries.keys()].slice(0, -MOST)) this.#entries.delete(stamp);
    if (told.length > 0) this.#tell();
  }

  /** @param {Notice} notice */
  #sightOf(notice) {
    return [...this.#sights].find(([sight, before]) => isSightOf(sight, before, notice))?.[0] ?? null;
  }

  /** @param {Sight} sight */
  #see(sight) {
    if (!this.#sights.has(sight)) {
      const before = this.#last;
      this.#sights.set(sight, before);
      this.#last = sight;
      for (const old of [...this.#sights.keys()].slice(0, -MOST)) this.#sights.delete(old);
      for (const entry of this.#entries.values()) entry.sight ??= isSightOf(sight, before, entry.notice) ? sight : null;
    }
    this.#tell();
  }

  #tell() {
    this.changed.emit([...this.#entries.values()].reverse());
  }
}
