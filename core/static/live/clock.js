/** Time, injected: the page has the system's, a test has one that it moves by hand. */

/**
 * @typedef {object} Clock
 * @property {() => number} now wall-clock milliseconds: unlike performance.now() they go on while
 *   the machine sleeps, and sleep is what the watchdogs must notice
 * @property {(ms: number, run: () => void) => () => void} after runs once; returns the cancel
 */

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
