/** One read of one address under `/q/`, and what its answer means. */

import { applied } from "./delta.js";
import { retryAfter } from "./retry_after.js";
import { Signal } from "./signal.js";
import { Stamp } from "./stamps.js";

const LONGEST_READ_MS = 30_000;

/**
 * @typedef {object} Fresh a body
 * @property {"fresh"} kind
 * @property {string} key its canonical key, as the server spells it
 * @property {string} html
 * @property {Stamp | null} stamp null while Redis is away
 * @property {string | null} etag
 * @property {string} access `view` or `edit`
 */
/** @typedef {{kind: "same", stamp: Stamp | null}} Same the body we have is still the body */
/** @typedef {{kind: "gone"} | {kind: "signed-out"}} Refusal */
/** @typedef {{kind: "bad-floor"}} BadFloor the server cannot reach the floor we sent */
/** @typedef {{kind: "failed", status: number, retry_ms: number}} Failed status 0: no answer at all */
/**
 * @typedef {object} Trip how an answer came
 * @property {string} path
 * @property {number} status 0: no answer at all
 * @property {string} source where the server had the body from: `memory`, `redis`, `database`; or nothing
 * @property {number} server_ms how long the server looked for it
 * @property {number} began by the clock's `now`
 * @property {number} ms from the question to the whole of the answer
 */
/** @typedef {Fresh | Same | Refusal | BadFloor | Failed} Answer */

export class Reader {
  #fetch;
  #clock;

  /** Every read that has ended, before whoever asked has the answer. @type {Signal<Trip>} */
  trips = new Signal();

  /** @param {{fetch: typeof window.fetch, clock: import("./clock.js").Clock}} outside */
  constructor({ fetch, clock }) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /**
   * Never rejects: what can go wrong is an answer too.
   *
   * @param {string} path
   * @param {{floor?: Stamp | null, etag?: string | null, held?: string | null}} [conditions] held: the html
   *   with that ETag; of another one that is long, the server then sends only the lines that are new
   * @returns {Promise<Answer>}
   */
  async read(path, { floor = null, etag = null, held = null } = {}) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/html" };
    if (floor !== null) headers["Live-Floor"] = String(floor);
    if (etag !== null) headers["If-None-Match"] = etag;
    if (etag !== null && held !== null) headers["Live-Delta"] = "lines";
    // A read that hangs would block its key for ever, since reads of one key are never parallel.
    const deadline = new AbortController();
    const cancel = this.#clock.after(LONGEST_READ_MS, () => deadline.abort());
    const began = this.#clock.now();
    let how = { status: 0, source: "", server_ms: 0 };
    try {
      const response = await this.#fetch(path, {
        headers,
        // The ETag belongs to the body that we hold. The browser's own cache may hold another.
        cache: "no-store",
        credentials: "same-origin",
        signal: deadline.signal,
      });
      how = { status: response.status, ...timing(response.headers.get("Server-Timing") ?? "") };
      return await understand(response, floor !== null, this.#clock.wall(), held);
    } catch {
      return { kind: "failed", status: 0, retry_ms: 0 };
    } finally {
      cancel();
      this.trips.emit({ path, ...how, began, ms: this.#clock.now() - began });
    }
  }
}

/** @param {string} header `cache;desc="redis", read;dur=1.3` */
function timing(header) {
  const [, source = ""] = /(?:^|,)\s*cache;desc="([^"]*)"/.exec(header) ?? [];
  const [, ms = "0"] = /(?:^|,)\s*read;dur=([0-9.]+)/.exec(header) ?? [];
  return { source, server_ms: Number(ms) };
}

/**
 * @param {Response} response
 * @param {boolean} withFloor
 * @param {number} wall milliseconds since 1970
 * @param {string | null} held
 * @returns {Promise<Answer>}
 */
async function understand(response, withFloor, wall, held) {
  const stamp = Stamp.parse(response.headers.get("Live-Stamp"));
  const key = response.headers.get("Live-Key");
  if (response.status === 304) return { kind: "same", stamp };
  // Without Live-Key a 200 comes from something in between: a sign-in page of the network, say.
  if (response.status === 200 && key !== null) {
    return {
      kind: "fresh",
      key,
      html: await htmlOf(response, held),
      stamp,
      etag: response.headers.get("ETag"),
      access: response.headers.get("Live-Access") ?? "view",
    };
  }
  if (response.status === 404) return { kind: "gone" };
  if (response.status === 401) return { kind: "signed-out" };
  if (response.status === 400 && withFloor) return { kind: "bad-floor" };
  return { kind: "failed", status: response.status, retry_ms: retryAfter(response, wall) };
}

/**
 * @param {Response} response
 * @param {string | null} held
 */
async function htmlOf(response, held) {
  if (held === null || response.headers.get("Live-Delta") === null) return response.text();
  return applied(held, await response.json());
}
