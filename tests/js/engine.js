/** The outside of the engine, made by hand: time, network, streams, locks and channels. */

import { Stamp } from "../../core/static/live/stamps.js";

export const GENERATION = "aaaaaaaaaaaa";

/** @param {number} sequence */
export const at = (sequence, generation = GENERATION) =>
  /** @type {Stamp} */ (Stamp.parse(`${generation}-${sequence}`));

/** Lets everything run that waits for a promise. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A clock that a test winds. */
export class Clock {
  #now = 1_000_000;
  /** @type {Set<{at: number, run: () => void}>} */
  #timers = new Set();

  /** How far the wall clock is ahead. */
  #ahead = 500_000;

  now = () => this.#now;

  wall = () => this.#now + this.#ahead;

  after = (/** @type {number} */ ms, /** @type {() => void} */ run) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  get waiting() {
    return this.#timers.size;
  }

  /** @param {number} ms */
  async pass(ms) {
    const until = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at); // late ones run after a sleep
      this.#timers.delete(next);
      next.run();
      await settled();
    }
    this.#now = Math.max(this.#now, until);
    await settled();
  }

  /** The machine sleeps: time goes on, what measures it and runs timers stands still. */
  sleep(/** @type {number} */ ms) {
    this.#ahead += ms;
  }

  /** Somebody sets the clock of the machine. */
  set(/** @type {number} */ ms) {
    this.#ahead += ms;
  }
}

/** A reader whose every read a test answers. */
export class Reads {
  /** @type {{path: string, floor: Stamp | null, etag: string | null, resolve: (answer: any) => void}[]} */
  open = [];
  /** @type {{path: string, floor: string | null, etag: string | null}[]} */
  asked = [];

  /** @param {string} path @param {{floor?: Stamp | null, etag?: string | null}} [conditions] */
  read(path, { floor = null, etag = null } = {}) {
    this.asked.push({ path, floor: floor && String(floor), etag });
    return new Promise((resolve) => this.open.push({ path, floor, etag, resolve }));
  }

  /** Answers the oldest open read. @param {any} answer */
  async answer(answer) {
    const read = this.open.shift();
    if (read === undefined) throw new Error("nothing was asked");
    read.resolve(answer);
    await settled();
  }
}

/** @param {Stamp | null} stamp @param {string} html */
export const fresh = (stamp, html = `<p>${stamp}</p>`, key = "chapters:list:42") => ({
  kind: "fresh",
  key,
  html,
  stamp,
  etag: `"${html}"`,
  access: "edit",
});

/** The server's answers to the question why a stream did not open; none, unless a test says so. */
export class Inquiries {
  /** @type {string[]} */
  asked = [];

  reason = { status: 0, retry_ms: 0 };

  inquire = async (/** @type {string} */ url) => {
    this.asked.push(url);
    return this.reason;
  };
}

/** What stands in the place of EventSource. */
export class Streams {
  /** @type {Stream[]} */
  all = [];

  open = (/** @type {string} */ url) => {
    const stream = new Stream(url);
    this.all.push(stream);
    return stream;
  };

  get last() {
    return /** @type {Stream} */ (this.all.at(-1));
  }

  get alive() {
    return this.all.filter((stream) => !stream.closed);
  }
}

class Stream {
  closed = false;
  id = "";
  /** @type {Map<string, (message: any) => void>} */
  #listeners = new Map();

  /** @param {string} url */
  constructor(url) {
    this.url = new URL(url, "https://coursewire.test");
  }

  addEventListener(/** @type {string} */ name, /** @type {any} */ listener) {
    this.#listeners.set(name, listener);
  }

  close() {
    this.closed = true;
  }

  get keys() {
    return this.url.searchParams.getAll("key");
  }

  get since() {
    return this.url.searchParams.get("since");
  }

  /** @param {string} event @param {object} data @param {Stamp} [id] */
  say(event, data = {}, id) {
    if (id) this.id = String(id);
    this.#listeners.get(event)?.({ data: JSON.stringify(data), lastEventId: this.id });
  }

  /** @param {Stamp} id @param {object} [data] */
  hello(id, data = {}) {
    this.say("hello", { verdict: "current", stale: [], denied: [], heartbeat_s: 15, ...data }, id);
  }

  /** @param {Stamp} id @param {...unknown[]} keys */
  stale(id, ...keys) {
    this.say("stale", { keys, cause: "media-linked", trace: "t1", spread_ms: 0 }, id);
  }

  fail() {
    this.#listeners.get("error")?.({});
  }
}

/** The Web Locks of one browser: exclusive, first come first served, and stealing. */
export class Locks {
  /** @type {Map<string, {holder: any, queue: any[]}>} */
  #named = new Map();

  request = (/** @type {string} */ name, /** @type {any} */ options, /** @type {any} */ callback) =>
    new Promise((resolve, reject) => {
      const lock = this.#named.get(name) ?? { holder: null, queue: [] };
      this.#named.set(name, lock);
      const request = { callback, resolve, reject };
      options.signal?.addEventListener("abort", () => {
        if (lock.holder === request) return;
        lock.queue = lock.queue.filter((queued) => queued !== request);
        reject(new DOMException("called off", "AbortError"));
      });
      if (options.steal) {
        lock.holder?.reject(new DOMException("stolen", "AbortError"));
        this.#grant(lock, request);
      } else if (lock.holder === null) this.#grant(lock, request);
      else lock.queue.push(request);
    });

  /** @param {any} lock @param {any} request */
  #grant(lock, request) {
    lock.holder = request;
    setImmediate(async () => {
      const held = await request.callback({});
      request.resolve(held);
      if (lock.holder !== request) return;
      const next = lock.queue.shift() ?? null;
      lock.holder = null;
      if (next) this.#grant(lock, next);
    });
  }
}

/** The BroadcastChannels of one browser. */
export class Channels {
  /** @type {Set<any>} */
  #all = new Set();

  /** Who is there now hears nothing any more: their event loops stand still. @param {string} name */
  mute(name) {
    for (const channel of this.#all) if (channel.name === name) channel.onmessage = null;
  }

  open = (/** @type {string} */ name) => {
    const all = this.#all;
    const channel = {
      name,
      /** @type {((event: {data: unknown}) => void) | null} */
      onmessage: null,
      postMessage(/** @type {unknown} */ message) {
        const data = structuredClone(message);
        for (const other of all) {
          if (other !== channel && other.name === name) setImmediate(() => all.has(other) && other.onmessage?.({ data }));
        }
      },
      close: () => all.delete(channel),
    };
    all.add(channel);
    return /** @type {BroadcastChannel} */ (/** @type {unknown} */ (channel));
  };
}
