/**
 * The store: one per page. It keeps what is shown of every key as new as it must be.
 *
 * Regions of one key share one read. What is stale is read again at once, unless nobody looks (the
 * page is hidden): then when somebody does.
 */

import { keyPath, keyText, names } from "./keys.js";
import { Signal } from "./signal.js";
import { Stamp } from "./stamps.js";
import { Watched } from "./watched.js";

/** @typedef {import("./watched.js").Listener} Listener */

/**
 * @typedef {object} Call who says that something is stale, and what they know
 * @property {Stamp | string | null} stamp the floor; null: it changed, and nobody can say with which number
 * @property {string} [cause]
 * @property {string} [trace]
 * @property {number} [spread_ms] wait up to so long, so that a crowd does not come at once
 * @property {boolean} [own] this page's own action did it
 * @property {boolean} [urgent] read also while nobody looks: what is shown may have to go
 */

/**
 * @typedef {object} Outside
 * @property {Pick<import("./reader.js").Reader, "read">} reader
 * @property {import("./clock.js").Clock} clock
 * @property {() => number} random
 * @property {import("./backoff.js").Backoff} backoff
 */

export class Store {
  #outside;
  #paused = false;

  /** Whether what others do is kept from the page until somebody says so. */
  #held = false;
  #waiting = 0;

  /** The server wants to be left alone until then, by the clock's `now`. */
  #notBefore = 0;

  /** @type {Map<string, Watched>} */
  #watched = new Map();

  /** The set of watched keys has changed. @type {Signal<void>} */
  changed = new Signal();

  /** Which keys cannot be brought up to date, whenever that changes. @type {Signal<string[]>} */
  troubled = new Signal();

  /** A read has ended, and who shows its key has been told. @type {Signal<string>} */
  read = new Signal();

  /** How many changes of others wait, whenever that changes. @type {Signal<number>} */
  waiting = new Signal();

  /** Nobody is signed in any more. @type {Signal<void>} */
  signedOut = new Signal();

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /**
   * Every key that shows something, with the stamp of what it shows.
   *
   * A key that was never answered is left out: until the server has spelled it, it may be one that
   * a stream refuses, and with it all the others.
   *
   * @returns {[string, Stamp | null][]}
   */
  get keys() {
    return [...this.#watched]
      .filter(([, watched]) => watched.shows)
      .map(([key, { entry }]) => [key, entry.stamp]);
  }

  /**
   * The keys of which the server said nothing: not there, or not for this user.
   *
   * @returns {string[]}
   */
  get refused() {
    return [...this.#watched].filter(([, { refused }]) => refused).map(([key]) => key);
  }

  /** Whether anything shown is known to be old, and not read again yet. */
  get owes() {
    return [...this.#watched.values()].some(({ entry }) => entry.owed || entry.reading);
  }

  /**
   * Whether the page shows no state of `key` from before `floor`.
   *
   * @param {string} key
   * @param {Stamp | null} floor
   */
  reaches(key, floor) {
    const watched = this.#watched.get(key);
    if (watched === undefined || watched.refused) return true;
    return watched.entry.stamp?.reaches(floor) ?? false;
  }

  /**
   * Keep `listener` up to date about `key`, of which it shows what was current at `stamp`.
   *
   * @param {string} key
   * @param {Stamp | null} stamp
   * @param {Listener} listener
   * @param {{empty?: boolean}} [shows] empty: it shows nothing of this key yet
   * @returns {() => void} the unwatch
   */
  watch(key, stamp, listener, { empty = false } = {}) {
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = new Watched(empty ? null : stamp, !empty);
      this.#watched.set(key, watched);
      if (!empty) this.changed.emit();
    }
    watched.listeners.add(listener);
    this.#settle(key, watched, stamp, listener, empty);
    return () => this.#unwatch(key, listener);
  }

  /**
   * Call for newer data of every watched key that `keys` name, each as text or in its JSON form.
   *
   * @param {Iterable<string | import("./keys.js").KeyParts>} keys
   * @param {Call} call
   */
  invalidate(keys, { stamp, cause = "", trace = "", spread_ms = 0, own = false, urgent = false }) {
    const floor = typeof stamp === "string" ? Stamp.parse(stamp) : stamp;
    const want = this.#want({ floor, fresh: floor === null, cause, trace, own });
    let news = false;
    for (const name of keys) {
      const text = typeof name === "string" ? name : keyText(name);
      for (const [key, watched] of this.#watched) {
        if (!names(text, key)) continue;
        watched.entry.want(want);
        watched.asked ||= own;
        news ||= watched.entry.owed;
        this.#readAfter(key, watched, this.#outside.random() * spread_ms, urgent);
      }
    }
    if (this.#held && news && !own) this.#wait(this.#waiting + 1);
  }

  /** Call for everything, whatever the stamps say ("Refresh now"). */
  refresh() {
    this.#notBefore = 0; // a person asks, once
    for (const watched of this.#watched.values()) watched.asked = true;
    this.invalidate(this.#watched.keys(), { stamp: null, cause: "refresh" });
  }

  /**
   * Look whether `key` has changed. Nothing is owed: a failure is not tried again. One that is being
   * read is not asked for twice.
   *
   * @param {string} key
   * @returns {Promise<boolean>} whether the server answered
   */
  async check(key) {
    const watched = this.#watched.get(key);
    if (watched === undefined) return true;
    if (!watched.entry.reading && this.#outside.clock.now() < this.#notBefore) return false;
    if (!watched.entry.reading) this.#begin(key, watched);
    return watched.reading;
  }

  /**
   * Read the html of `key` once, where so far only the page has shown it: from then on the server need
   * send only what is new of it.
   *
   * @param {string} key
   */
  learn(key) {
    const entry = this.#watched.get(key)?.entry;
    if (entry && entry.body === null && !entry.owed && !this.#held && !this.#paused) void this.check(key);
  }

  /** Whether what others do waits. */
  get isHeld() {
    return this.#held;
  }

  /** Nothing moves by itself from now on; what this page's own actions call for is still read. */
  hold() {
    this.#held = true;
  }

  /** Show all that waits, and go on. */
  release() {
    this.#held = false;
    this.#wait(0);
    for (const [key, watched] of this.#watched) this.#readAfter(key, watched, 0);
  }

  /** @param {number} count */
  #wait(count) {
    if (this.#waiting === count) return;
    this.#waiting = count;
    this.waiting.emit(count);
  }

  /** Nobody looks: what becomes stale from now on can wait. */
  pause() {
    this.#paused = true;
  }

  /** Somebody looks, or the network is back: read all that is owed, now. */
  resume() {
    this.#paused = false;
    for (const [key, watched] of this.#watched) this.#readAfter(key, watched, 0);
  }

  /**
   * Bring a new listener and the others of its key to the same point.
   *
   * @param {string} key
   * @param {Watched} watched
   * @param {Stamp | null} stamp
   * @param {Listener} listener
   * @param {boolean} empty
   */
  #settle(key, watched, stamp, listener, empty) {
    const { entry } = watched;
    if (empty || stamp?.isBefore(entry.stamp)) {
      if (entry.body !== null) {
        listener({ kind: "shown", answer: entry.body, want: this.#want({ cause: "shown", own: true }) });
      } else if (!entry.reading) {
        this.invalidate([key], { stamp: null, cause: "shown", own: true });
      }
    } else if (String(stamp) !== String(entry.stamp)) {
      this.invalidate([key], { stamp, cause: "shown" });
    }
  }

  /**
   * @param {string} key
   * @param {Listener} listener
   */
  #unwatch(key, listener) {
    const watched = this.#watched.get(key);
    if (watched === undefined || !watched.listeners.delete(listener) || watched.listeners.size > 0) return;
    watched.cancel();
    this.#watched.delete(key);
    if (watched.isTroubled) this.#tellTrouble();
    this.changed.emit();
  }

  /**
   * @param {string} key
   * @param {Watched} watched
   * @param {number} wait_ms
   * @param {boolean} [urgent]
   */
  #readAfter(key, watched, wait_ms, urgent = false) {
    if (!watched.entry.owed || watched.entry.reading || (this.#paused && !urgent)) return;
    if (this.#held && !watched.asked && !urgent) return;
    watched.cancel();
    const { clock } = this.#outside;
    const due_ms = Math.max(wait_ms, this.#notBefore - clock.now());
    if (due_ms < 1) this.#begin(key, watched);
    else watched.cancel = clock.after(due_ms, () => this.#begin(key, watched));
  }

  /**
   * @param {string} key
   * @param {Watched} watched
   */
  #begin(key, watched) {
    watched.reading = this.#read(key, watched);
  }

  /**
   * @param {string} key
   * @param {Watched} watched
   */
  async #read(key, watched) {
    watched.cancel();
    if (watched.entry.owed) watched.tell({ kind: "waiting" });
    const conditions = watched.entry.begin();
    const answer = await this.#outside.reader.read(keyPath(key), conditions);
    // Everybody has looked away meanwhile: there is nobody to tell, nor to try again for.
    if (this.#watched.get(key) !== watched) return true;
    if (answer.kind === "fresh" && answer.key !== key) return this.#moved(key, watched, answer);
    if (answer.kind === "failed" && answer.retry_ms > 0) {
      this.#notBefore = Math.max(this.#notBefore, this.#outside.clock.now() + answer.retry_ms);
    }
    const { shows, isTroubled } = watched;
    const wait_ms = watched.take(answer, this.#want(), this.#outside.backoff);
    if (!watched.entry.owed) watched.asked = false;
    if (!this.owes) this.#wait(0);
    if (watched.shows !== shows) this.changed.emit();
    if (watched.isTroubled !== isTroubled) this.#tellTrouble();
    if (answer.kind === "signed-out") this.#forget(watched);
    this.read.emit(key);
    this.#readAfter(key, watched, wait_ms);
    return answer.kind !== "failed";
  }

  /**
   * Nobody is signed in: what is shown of the other keys goes too. One that is being read may still
   * get the answer of a moment ago, so it is asked for once more.
   *
   * @param {Watched} told
   */
  #forget(told) {
    for (const watched of this.#watched.values()) {
      if (watched.entry.reading) watched.entry.want(this.#want({ cause: "access" }));
      else if (watched !== told && !watched.refused) watched.take({ kind: "signed-out" }, this.#want(), () => 0);
    }
    this.signedOut.emit();
  }

  /**
   * The server spells this key differently (a default that was given, a number that was a text).
   * Whoever watches it is told, and watches the canonical one from then on.
   *
   * @param {string} key
   * @param {Watched} watched
   * @param {import("./reader.js").Fresh} answer
   */
  #moved(key, watched, answer) {
    this.#watched.delete(key);
    watched.tell({ kind: "shown", answer, want: watched.entry.abandon() ?? this.#want() });
    return true;
  }

  /**
   * @param {Partial<import("./entry.js").Want>} [known]
   * @returns {import("./entry.js").Want}
   */
  #want(known) {
    const since = this.#outside.clock.now();
    return { floor: null, fresh: true, cause: "check", trace: "", own: false, since, ...known };
  }

  #tellTrouble() {
    const troubled = [...this.#watched].filter(([, { isTroubled }]) => isTroubled);
    this.troubled.emit(troubled.map(([key]) => key));
  }
}
