/**
 * What a stream watches, and since which stamp each key is known not to have changed.
 *
 * A stream that has said "current through 50" has said so for every key it watches. So one stamp,
 * `heard`, stands for them all; only a key that no stream has confirmed yet needs its own:
 *
 *     chapters.list    rendered at 40, confirmed ─┐
 *     courses.detail   rendered at 40, confirmed ─┴─ heard through 50 ──► ask with 50
 *     media.list       opened at 47, not confirmed ────────────────────► ask with 47
 */

import { older } from "./stamps.js";

/** @typedef {import("./stamps.js").Stamp} Stamp */

/**
 * @typedef {object} Item
 * @property {Stamp | null} since data stamped so, or later, is current as far as was heard
 * @property {boolean} confirmed whether a stream has answered for it
 */

export class Watchlist {
  /** @type {Map<string, Item>} */
  #items = new Map();

  /** @type {Stamp | null} everything up to here was heard */
  heard = null;

  get size() {
    return this.#items.size;
  }

  /**
   * Each key with the stamp to ask a stream with.
   *
   * @returns {[string, Stamp | null][]}
   */
  get entries() {
    return [...this.#items].map(([key, { since, confirmed }]) => [key, confirmed ? this.heard : since]);
  }

  /**
   * @param {string} key
   * @returns {boolean}
   */
  isConfirmed(key) {
    return this.#items.get(key)?.confirmed ?? false;
  }

  /**
   * Whether data stamped so is current, as far as was heard. The same question the server's hub
   * answers; see "Stamps" in the architecture.
   *
   * @param {string} key
   * @param {Stamp | null} stamp
   */
  isCurrent(key, stamp) {
    const since = this.#items.get(key)?.since ?? null;
    return stamp !== null && since !== null && stamp.reaches(since);
  }

  /**
   * Watch `key`, of which somebody shows what was current at `stamp`.
   *
   * @param {string} key
   * @param {Stamp | null} stamp
   */
  add(key, stamp) {
    const item = this.#items.get(key);
    if (item === undefined) this.#items.set(key, { since: stamp, confirmed: false });
    else if (!item.confirmed) item.since = older(item.since, stamp);
  }

  /**
   * Keep only these.
   *
   * @param {ReadonlySet<string>} keys
   */
  keep(keys) {
    for (const key of this.#items.keys()) {
      if (!keys.has(key)) this.#items.delete(key);
    }
  }

  /**
   * A stream that watches `covered` has begun: of these the `stale` have changed, at or before `id`.
   *
   * @param {Stamp | null} id null while Redis is away: then nothing is known of any stamp
   * @param {Iterable<string>} covered
   * @param {Iterable<string>} stale
   */
  begin(id, covered, stale) {
    const watched = new Set(covered);
    for (const [key, item] of this.#items) {
      // The streams before this one watched it up to `heard`, and this one does not.
      if (item.confirmed && !watched.has(key)) item.since = this.heard;
      item.confirmed = watched.has(key);
    }
    this.heard = id;
    this.change(id, stale);
  }

  /**
   * These have changed, at or before `id`.
   *
   * @param {Stamp | null} id
   * @param {Iterable<string>} keys
   */
  change(id, keys) {
    for (const key of keys) {
      const item = this.#items.get(key);
      if (item !== undefined) item.since = id;
    }
    this.hear(id);
  }

  /** @param {Stamp | null} id */
  hear(id) {
    this.heard = id ?? this.heard;
  }
}
