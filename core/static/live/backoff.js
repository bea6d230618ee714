/**
 * How long to wait before trying again.
 *
 * Full jitter: uniform between nothing and a bound that doubles ("Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015). Without it, everybody a deploy has cut off comes back in the same
 * instant, again and again.
 */

/** @typedef {(attempt: number) => number} Backoff milliseconds before attempt 0, 1, 2… */

/**
 * @param {() => number} random
 * @param {{first_ms?: number, longest_ms?: number}} [bounds]
 * @returns {Backoff}
 */
export function fullJitter(random, { first_ms = 1_000, longest_ms = 30_000 } = {}) {
  return (attempt) => random() * Math.min(longest_ms, first_ms * 2 ** Math.min(attempt, 30));
}
