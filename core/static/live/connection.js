/**
 * The connection: one EventSource at a time, watched over, and opened again.
 *
 * 1. EventSource gives up for ever on an answer that is not 200 (a 503 during a deploy), and comes
 *    back without jitter after others. So we close it at its first error, and every opening is ours.
 * 2. It notices nothing when a network falls silent: the beats have a deadline of our own.
 * 3. `navigator.onLine` lies on some machines. It only chooses the word for a failure, and its
 *    events only hasten what would be tried anyway.
 * 4. It may be open and silent from the start: a proxy in between collects what it should pass on.
 *    After five seconds without `hello` that is said, so that the page asks meanwhile.
 * 5. It does not say why it failed. Where it never opened, the server is asked once more for that:
 *    when to come back (`Retry-After`), and whether these were more keys than it takes.
 * 6. What a stream watches cannot be changed, so a new key is a new stream. Nothing is lost in
 *    between: the new one asks with the stamp up to which the old one was heard.
 */

import { elapsed, moment } from "./clock.js";
import { EVENTS, parseFrame } from "./frames.js";
import { Signal } from "./signal.js";
import { fitting, streamUrl } from "./stream_address.js";
import { Watchlist } from "./watchlist.js";

/** @typedef {import("./stamps.js").Stamp} Stamp */
/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {"connecting" | "live" | "reconnecting" | "degraded" | "offline"} State */
/** @typedef {{frame: Frame, covered: readonly string[]}} Heard a frame, and what its stream watches */
/** @typedef {Pick<EventSource, "addEventListener" | "close">} Source */

/**
 * @typedef {object} Outside
 * @property {string} url
 * @property {number} most_keys that the server lets one stream watch
 * @property {(url: string) => Source} open
 * @property {import("./inquiry.js").Inquire} inquire
 * @property {import("./clock.js").Clock} clock
 * @property {() => number} random
 * @property {import("./backoff.js").Backoff} backoff
 * @property {() => boolean} isOnline
 */

const GATHER_MS = 20; // the regions of one page, and of the other tabs, make one stream
const SETTLE_MS = 200; // somebody who searches leaves many keys behind
const HELLO_MS = 5_000;
const OPENING_MS = 15_000; // a busy server may still answer, and to ask it anew would not help it
const SILENT_BEATS = 2.5;
const WAKING_MS = 500; // everybody on one network comes back online in the same instant
const HIDDEN_MS = 60_000;
const QUIET_MS = 2_000; // a shorter interruption is nobody's business

export class Connection {
  #outside;
  #list = new Watchlist();

  /** @type {Source | null} */
  #source = null;

  /** @type {readonly string[]} what the open stream was asked to watch */
  #covered = [];

  /** @type {State} */
  #state = "connecting";
  #attempts = 0;
  #heardAt;
  #most_keys;

  /** Whether the open stream has said hello. */
  #isGreeted = false;

  /** The server does not want another stream before this, by the clock's `now`. */
  #notBefore = 0;

  /** @type {(() => void) | null} takes back the opening that is planned, if one is */
  #cancelOpening = null;
  #cancelWatchdog = () => {};

  /** Nobody looks: a lost stream can wait. */
  patient = false;

  heartbeat_s = 15;

  /** @type {readonly string[]} the keys that the server would not let the last stream watch */
  denied = [];

  /** What reports call the open stream. */
  stream = "";

  /** @type {Signal<Heard>} */
  frames = new Signal();

  /** @type {Signal<State>} */
  states = new Signal();

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
    this.#heardAt = moment(outside.clock);
    this.#most_keys = outside.most_keys;
  }

  get state() {
    return this.#state;
  }

  /** How far was heard, and what is watched. @type {Pick<Watchlist, "heard" | "isConfirmed" | "isCurrent">} */
  get list() {
    return this.#list;
  }

  /**
   * Watch exactly these keys, each from the stamp of what is shown; of one that is named twice, from
   * the older one.
   *
   * @param {readonly [string, Stamp | null][]} entries
   */
  watch(entries) {
    const keys = new Set(entries.map(([key]) => key));
    this.#list.keep(keys);
    // A key that goes and comes back counts as new: what the stream told in between nobody heard.
    this.#covered = this.#covered.filter((key) => keys.has(key));
    for (const [key, stamp] of entries) this.#list.add(key, stamp);
    if (this.#list.size === 0) return this.stop("live"); // what shows nothing is never out of date
    if (this.#source !== null && this.#isNarrow()) this.#openAfter(SETTLE_MS);
    else if (this.#source === null && this.#cancelOpening === null) this.#openAfter(GATHER_MS);
  }

  /** The page is seen again, or online, or back from sleep or from the back/forward cache. */
  wake() {
    if (this.#list.size === 0) return;
    const silent_ms = elapsed(this.#outside.clock, this.#heardAt);
    // The watchdog slept with the machine, so it proves nothing yet.
    const bearable_ms = this.#isGreeted ? 1500 * this.heartbeat_s : HELLO_MS;
    if (this.#source !== null && silent_ms < bearable_ms) return;
    this.#attempts = 0;
    this.#close();
    if (this.#state === "live") this.#say("reconnecting");
    this.#openAfter(this.#outside.random() * WAKING_MS);
  }

  /** The browser says that there is no network. */
  lose() {
    if (this.#list.size > 0) this.#fail();
  }

  /**
   * Close, until `watch` or `wake`.
   *
   * @param {State} [state]
   */
  stop(state = this.#state) {
    this.#close();
    this.#say(state);
  }

  #open() {
    this.#close();
    this.#heardAt = moment(this.#outside.clock);
    const entries = this.#fitting();
    this.#covered = entries.map(([key]) => key);
    const url = streamUrl(this.#outside.url, entries);
    const source = this.#outside.open(url);
    this.#source = source;
    this.#isGreeted = false;
    this.#cancelWatchdog = this.#outside.clock.after(HELLO_MS, () => {
      this.#say("reconnecting");
      this.#expectWithin(OPENING_MS - HELLO_MS);
    });
    for (const event of EVENTS) {
      source.addEventListener(event, (message) => {
        if (source === this.#source) this.#hear(parseFrame(event, /** @type {MessageEvent} */ (message)));
      });
    }
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      if (!this.#isGreeted) void this.#learn(url, entries.length);
      this.#fail();
    });
  }

  /**
   * @param {string} url of a stream that did not open
   * @param {number} count how many keys that was
   */
  async #learn(url, count) {
    const { inquire, clock, backoff } = this.#outside;
    const covered = this.#covered;
    const { status, retry_ms } = await inquire(url);
    if (status === 401) this.#refuse(covered);
    // The server takes fewer than it did when it rendered this page; how many it does not say.
    if (status === 400) this.#most_keys = Math.max(1, Math.min(this.#most_keys, Math.floor(count / 2)));
    if (retry_ms === 0) return;
    this.#notBefore = clock.now() + retry_ms;
    // Everybody was told the same.
    if (this.#cancelOpening !== null) this.#openAfter(retry_ms + backoff(this.#attempts));
  }

  /**
   * Nobody is signed in: what is shown has to go now, not when somebody asks for it.
   *
   * @param {readonly string[]} covered
   */
  #refuse(covered) {
    const told = { id: null, keys: [...covered], cause: "access", trace: "", spread_ms: 0 };
    this.frames.emit({ frame: { event: "stale", ...told }, covered });
  }

  #close() {
    this.#cancelOpening?.();
    this.#cancelOpening = null;
    this.#cancelWatchdog();
    this.#source?.close();
    this.#source = null;
  }

  /** @param {Frame} frame */
  #hear(frame) {
    const { clock, random } = this.#outside;
    this.#heardAt = moment(clock);
    const covered = this.#covered;
    if (frame.event === "hello") {
      this.#attempts = 0;
      this.#notBefore = 0;
      this.#isGreeted = true;
      this.heartbeat_s = frame.heartbeat_s;
      this.denied = frame.denied;
      this.stream = frame.stream ?? "";
      this.#list.begin(frame.id, covered, frame.stale);
    } else if (frame.event === "stale") this.#list.change(frame.id, frame.keys);
    else if (frame.event === "beat") this.#list.hear(frame.id);
    this.#expectWithin(SILENT_BEATS * 1000 * this.heartbeat_s);
    this.frames.emit({ frame, covered });

    if (frame.event === "degraded") this.#say("degraded");
    else if (frame.event === "hello" || frame.event === "restored") this.#say(this.#whole());
    else if (frame.event === "bye") {
      this.#close();
      if (frame.retry_ms > QUIET_MS) this.#say("reconnecting");
      this.#openAfter(random() * frame.retry_ms);
    }
  }

  #fail() {
    const { backoff, isOnline, random } = this.#outside;
    this.#close();
    const wait_ms = this.patient ? (1 + random()) * HIDDEN_MS : backoff(this.#attempts);
    this.#attempts += 1;
    this.#openAfter(wait_ms);
    this.#say(isOnline() ? "reconnecting" : "offline");
  }

  /** @param {number} wait_ms */
  #openAfter(wait_ms) {
    const { clock } = this.#outside;
    this.#cancelOpening?.();
    this.#cancelOpening = clock.after(Math.max(wait_ms, this.#notBefore - clock.now()), () => this.#open());
  }

  /** @param {number} wait_ms */
  #expectWithin(wait_ms) {
    this.#cancelWatchdog();
    this.#cancelWatchdog = this.#outside.clock.after(wait_ms, () => this.#fail());
  }

  /** Whether the open stream lacks a key that it has room for. */
  #isNarrow() {
    const covered = new Set(this.#covered);
    return this.#fitting().some(([key]) => !covered.has(key));
  }

  /** As much of what is to be watched as one stream takes. */
  #fitting() {
    return fitting(this.#list.entries, this.#most_keys);
  }

  /** Live, unless there are more keys than a stream takes: those must be asked for. */
  #whole() {
    return this.#list.size > this.#fitting().length ? "degraded" : "live";
  }

  /** @param {State} state */
  #say(state) {
    if (state === this.#state && state !== "reconnecting") return;
    this.#state = state;
    this.states.emit(state);
  }
}
