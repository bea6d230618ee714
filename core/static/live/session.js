/**
 * The session: what the stream says, carried to the store of this page; and the page's own fate
 * (hidden, offline, asleep, kept for "back"), carried to both.
 */

import { Poller } from "./poller.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./connection.js").State} State */

/**
 * @typedef {object} Outside
 * @property {import("./store.js").Store} store
 * @property {import("./tabs.js").Tabs} tabs
 * @property {import("./status.js").Status} status
 * @property {import("./clock.js").Clock} clock
 * @property {() => number} random
 * @property {Document} document
 * @property {Window} window
 */

export class Session {
  #outside;
  #poller;
  #isGathering = false;

  /** @param {Outside} outside */
  constructor(outside) {
    const { store, tabs, status, clock, random } = outside;
    this.#outside = outside;
    this.#poller = new Poller({ ask: () => this.#questions(), clock, random });
    this.#poller.told.subscribe((round) => status.asked(round));
    store.changed.subscribe(() => this.#gather());
    store.troubled.subscribe((keys) => status.trouble(keys.length > 0));
    store.signedOut.subscribe(() => this.#rest());
    tabs.frames.subscribe((frame) => this.#hear(frame));
    tabs.states.subscribe((state) => this.#turn(state));
  }

  start() {
    const { store, tabs, document, window } = this.#outside;
    if (document.hidden) store.pause();
    tabs.watch(store.keys);
    tabs.join();
    document.addEventListener("visibilitychange", () => this.#look());
    // Chromium tells so when it thaws a frozen tab.
    document.addEventListener("resume", () => this.#look());
    window.addEventListener("online", () => this.#look());
    window.addEventListener("offline", () => tabs.lose());
    window.addEventListener("pagehide", () => tabs.leave());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.#look();
    });
  }

  /** The regions of a page come one by one, and a stream is opened for all of them. */
  #gather() {
    if (this.#isGathering) return;
    this.#isGathering = true;
    queueMicrotask(() => {
      this.#isGathering = false;
      this.#outside.tabs.watch(this.#outside.store.keys);
    });
  }

  /** Somebody looks, or does not; what they see is brought up to date first. */
  #look() {
    const { store, tabs, document } = this.#outside;
    if (document.hidden) {
      store.pause();
    } else {
      store.resume();
      tabs.join();
      this.#poller.hasten();
    }
    tabs.look();
  }

  /** @param {Frame} frame */
  #hear(frame) {
    const { store, status } = this.#outside;
    if (frame.event === "hello") {
      status.signedOut(false);
      const allowed = store.refused.filter((key) => !frame.denied.includes(key));
      const denied = frame.denied.filter((key) => !store.refused.includes(key));
      // Whether it is gone, forbidden, or seen again, the answer to a read says, and only that.
      store.invalidate([...denied, ...allowed], { stamp: null, cause: "access", urgent: true });
      this.#stale({ ...frame, keys: frame.stale, cause: "hello", trace: "", spread_ms: 0 });
    } else if (frame.event === "stale") {
      this.#stale(frame);
    }
    status.heard(store.owes);
  }

  /** @param {Omit<import("./frames.js").Stale, "event">} told */
  #stale({ keys, id, cause, trace, spread_ms }) {
    const { store, document } = this.#outside;
    if (keys.length === 0) return;
    store.invalidate(keys, { stamp: id, cause, trace, spread_ms, urgent: cause === "access" });
    const detail = { keys, cause, trace, id: id && String(id) };
    document.dispatchEvent(new CustomEvent("live:stale", { detail }));
  }

  /** @param {State} state */
  #turn(state) {
    const { status, store } = this.#outside;
    status.connection(state);
    status.heard(store.owes);
    // Also while it opens, where a proxy may swallow the stream; and "offline" may be a mistake.
    if (state === "live") this.#poller.stop();
    else this.#poller.start();
  }

  *#questions() {
    const { store, document } = this.#outside;
    if (document.hidden || store.isHeld) return;
    for (const [key] of store.keys) yield () => store.check(key);
  }

  /** Nobody is signed in: asking on would get the same answer. Until somebody looks again. */
  #rest() {
    this.#poller.stop();
    this.#outside.tabs.leave();
    this.#outside.status.signedOut(true);
  }
}
