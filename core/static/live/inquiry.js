/**
 * Why a stream did not open. EventSource tells an error and nothing more, so the address is asked
 * once again, for the head of its answer alone.
 */

import { retryAfter } from "./retry_after.js";

const LONGEST_MS = 10_000;

/** @typedef {{status: number, retry_ms: number}} Reason status 0: no answer at all */
/** @typedef {(url: string) => Promise<Reason>} Inquire never rejects */

/**
 * @param {{fetch: typeof window.fetch, clock: import("./clock.js").Clock}} outside
 * @returns {Inquire}
 */
export function inquiry({ fetch, clock }) {
  return async (url) => {
    const deadline = new AbortController();
    const cancel = clock.after(LONGEST_MS, () => deadline.abort());
    try {
      const response = await fetch(url, {
        method: "HEAD",
        headers: { Accept: "text/event-stream" },
        cache: "no-store",
        credentials: "same-origin",
        signal: deadline.signal,
      });
      return { status: response.status, retry_ms: retryAfter(response, clock.wall()) };
    } catch {
      return { status: 0, retry_ms: 0 };
    } finally {
      cancel();
    }
  };
}
