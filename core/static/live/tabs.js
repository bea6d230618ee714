/**
 * All tabs of one browser, and of one user, share one stream: HTTP/1.1 allows six connections an
 * origin, and with six streams open every other request hangs.
 *
 * The tab that holds the Web Lock leads; what it hears it tells on a BroadcastChannel. When it
 * closes or crashes the browser gives the lock to the next tab, which asks all others what they
 * show, each with its own stamp, and goes on from there. Nothing is handed over, so nothing can
 * be lost with a tab that dies.
 *
 * 1. A leader that fell silent (frozen by the browser) loses the lock to a tab that somebody sees.
 * 2. Every tab holds a lock of its own name. The leader waits for it: when it gets it, that tab has
 *    left, closed or crashed.
 * 3. Without Web Locks (an insecure origin), without BroadcastChannel, or where the browser refuses
 *    them (nothing may be stored), every tab leads itself, and only while somebody sees it: so it
 *    is the windows that count against the six connections, not the tabs.
 */

import { Leader } from "./leader.js";
import { pack, unpack } from "./messages.js";
import { Signal } from "./signal.js";
import { Stamp } from "./stamps.js";
import { Watchlist } from "./watchlist.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./connection.js").State} State */
/** @typedef {import("./messages.js").Message} Message */

/**
 * @typedef {object} Outside
 * @property {string} name of the lock and the channel; the user's id is part of it
 * @property {string} id this tab's own
 * @property {() => import("./connection.js").Connection} connect
 * @property {Pick<LockManager, "request"> | null} locks
 * @property {((name: string) => BroadcastChannel) | null} openChannel may throw
 * @property {import("./clock.js").Clock} clock
 * @property {() => boolean} isHidden
 */

const FIRST_ANSWER_MS = 3_000;

export class Tabs {
  #outside;
  #list = new Watchlist();

  /** @type {Leader | null} */
  #leader = null;

  /** @type {BroadcastChannel | null} */
  #channel = null;

  /** @type {AbortController | null} aborted when this tab leaves */
  #membership = null;

  /** Whether nothing can be shared with other tabs. */
  #isAlone = false;

  #patience_ms = 40_000;
  #cancelWatchdog = () => {};

  /** What a stream says of the keys that this tab shows. @type {Signal<Frame>} */
  frames = new Signal();

  /** @type {Signal<State>} */
  states = new Signal();

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  get leads() {
    return this.#leader !== null;
  }

  /** Take part, until `leave`. */
  join() {
    if (this.#membership !== null) return;
    const { name, id } = this.#outside;
    this.#membership = new AbortController();
    this.states.emit("connecting");
    this.#channel = this.#open();
    if (this.#channel === null) return this.#goAlone();
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    // Not sooner: the leader takes a tab without its lock for one that is gone, and forgets it.
    this.#hold(`${name}:${id}`, () => this.#sayWhatIsShown());
    this.#compete();
  }

  /** A page that closes, or is kept for "back", leads nobody and hears nothing. */
  leave() {
    this.#cancelWatchdog();
    this.#stepDown();
    this.#membership?.abort();
    this.#membership = null;
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * Watch exactly these keys, each from the stamp of what is shown.
   *
   * @param {readonly [string, Stamp | null][]} entries
   */
  watch(entries) {
    this.#list.keep(new Set(entries.map(([key]) => key)));
    for (const [key, stamp] of entries) this.#list.add(key, stamp);
    this.#sayWhatIsShown();
  }

  /** This tab is seen again, or hidden; or the network is back. */
  look() {
    if (this.#isAlone && this.#membership !== null) this.#goAlone();
    this.#sayWhatIsShown();
    if (!this.#outside.isHidden()) this.#send({ kind: "wake" });
  }

  /** The network is gone. */
  lose() {
    this.#send({ kind: "lose" });
  }

  /** @returns {BroadcastChannel | null} null where tabs cannot share */
  #open() {
    const { locks, name, openChannel } = this.#outside;
    if (this.#isAlone || locks === null || openChannel === null) return null;
    try {
      return openChannel(name);
    } catch {
      return null;
    }
  }

  #goAlone() {
    this.#isAlone = true;
    this.#cancelWatchdog();
    this.#channel?.close();
    this.#channel = null;
    if (this.#outside.isHidden()) this.#stepDown();
    else this.#lead();
  }

  #compete() {
    const { name } = this.#outside;
    this.#hold(name, () => this.#lead());
  }

  #lead() {
    if (this.#leader !== null) return;
    this.#cancelWatchdog();
    this.#leader = new Leader(this.#outside.connect(), {
      frame: (frame, covered, to) => this.#send(pack(frame, covered, to ?? null)),
      state: (state) => this.#send({ kind: "state", state }),
    });
    this.#post({ kind: "lead" });
    this.#sayWhatIsShown();
  }

  #stepDown() {
    this.#leader?.stop();
    this.#leader = null;
  }

  #sayWhatIsShown() {
    if (this.#membership === null) return;
    const entries = this.#list.entries.map(
      ([key, stamp]) => /** @type {[string, string | null]} */ ([key, stamp && String(stamp)]),
    );
    this.#send({ kind: "watch", tab: this.#outside.id, entries, hidden: this.#outside.isHidden() });
    this.#expectLeader(FIRST_ANSWER_MS);
  }

  /**
   * To every tab, this one included.
   *
   * @param {Message} message
   */
  #send(message) {
    this.#post(message);
    this.#receive(message);
  }

  /** @param {Message} message */
  #post(message) {
    this.#channel?.postMessage(message);
  }

  /** @param {Message} message */
  #receive(message) {
    switch (message.kind) {
      case "frame":
        if (message.to === null || message.to === this.#outside.id) this.#hear(unpack(message));
        return;
      case "state":
        this.#expectLeader();
        return this.states.emit(message.state);
      case "lead":
        return this.#sayWhatIsShown();
      case "watch":
        return this.#admit(message);
      case "wake":
        return this.#leader?.wake();
      case "lose":
        return this.#leader?.lose();
    }
  }

  /** @param {Message & {kind: "watch"}} message */
  #admit({ tab, entries, hidden }) {
    const leader = this.#leader;
    if (leader === null) return;
    const parsed = entries.map(([key, stamp]) => /** @type {[string, Stamp | null]} */ ([key, Stamp.parse(stamp)]));
    const isNew = leader.watch(tab, parsed, hidden);
    if (isNew && tab !== this.#outside.id) this.#hold(`${this.#outside.name}:${tab}`, () => leader.forget(tab), true);
  }

  /** @param {import("./connection.js").Heard} heard */
  #hear({ frame, covered }) {
    const mine = new Set(this.#list.entries.map(([key]) => key));
    const isMine = (/** @type {string} */ key) => mine.has(key);
    if (frame.event === "hello") {
      this.#patience_ms = 2.5 * frame.heartbeat_s * 1000;
      const stale = frame.stale.filter(isMine);
      this.#list.begin(frame.id, covered, stale);
      this.frames.emit({ ...frame, stale, denied: frame.denied.filter(isMine) });
    } else if (frame.event === "stale") {
      const keys = frame.keys.filter(isMine);
      const reports = frame.witness === this.#outside.id ? (frame.reports ?? []) : [];
      this.#list.change(frame.id, keys);
      if (keys.length > 0 || reports.length > 0) this.frames.emit({ ...frame, keys, reports });
    } else if (frame.event === "finding") {
      if (mine.has(frame.key)) this.frames.emit(frame);
    } else {
      if (frame.event === "beat") this.#list.hear(frame.id);
      this.frames.emit(frame);
    }
    this.#expectLeader();
  }

  /** @param {number} [patience_ms] */
  #expectLeader(patience_ms = this.#patience_ms) {
    this.#cancelWatchdog();
    if (this.leads || this.#channel === null || this.#list.size === 0) return;
    this.#cancelWatchdog = this.#outside.clock.after(patience_ms, () => {
      if (!this.#outside.isHidden()) this.#hold(this.#outside.name, () => this.#lead(), false, true);
    });
  }

  /**
   * Hold a lock from when it is granted until this tab leaves, or another tab takes it.
   *
   * @param {string} name
   * @param {() => void} granted
   * @param {boolean} [once] let go of it at once: it only told that its holder is gone
   * @param {boolean} [steal]
   */
  #hold(name, granted, once = false, steal = false) {
    const signal = this.#membership?.signal;
    if (!this.#outside.locks || !signal) return;
    const held = () => {
      if (signal.aborted) return undefined;
      granted();
      return once ? undefined : new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    };
    // A request that steals cannot be aborted, nor need it: it is granted at once.
    const options = steal ? { steal } : { signal };
    this.#outside.locks.request(name, options, held).catch((error) => {
      if (signal.aborted || this.#isAlone) return;
      if (error.name !== "AbortError") return this.#goAlone(); // the browser refuses them
      if (name !== this.#outside.name) throw error;
      // Stolen: somebody sees another tab, and this one was silent.
      this.#stepDown();
      this.#compete();
    });
  }
}
