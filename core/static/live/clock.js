/**
 * Time, injected: the page has the system's, a test has one that it moves by hand.
 *
 * There are two, and each lies in its own way. What a browser measures with stands still, on most
 * systems, while the machine sleeps. What the wall shows goes on in sleep, and jumps when somebody
 * sets it. So durations are measured with `now`, the wall is for people to read, and `elapsed`,
 * which must notice sleep, asks both.
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that only ever grow, steadily
 * @property {() => number} wall milliseconds since 1970
 * @property {(ms: number, run: () => void) => () => void} after runs once; returns the cancel
 */

/** @type {Clock} */
export const systemClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** @typedef {{now: number, wall: number}} Moment */

/**
 * @param {Clock} clock
 * @returns {Moment}
 */
export function moment({ now, wall }) {
  return { now: now(), wall: wall() };
}

/**
 * How long ago that was at most. A wall clock that was set back says nothing: it may have been for
 * ever.
 *
 * @param {Clock} clock
 * @param {Moment} then
 * @returns {number} milliseconds
 */
export function elapsed(clock, then) {
  const [measured, shown] = [clock.now() - then.now, clock.wall() - then.wall];
  return shown < 0 ? Infinity : Math.max(measured, shown);
}
