/** The way of one notice, from the commit to the paint on this page, in steps. */

/** @typedef {import("./notices.js").Notice} Notice */
/** @typedef {import("../live/sights.js").Sight} Sight */
/** @typedef {import("../live/reader.js").Trip} Trip */

/**
 * `at_ms` is when it was done, after the commit. The servers' clocks tell it up to the frame, this
 * browser's own from there on; `null` where neither knows. `from_ms` is when it began, where that is
 * not the end of the step before.
 *
 * @typedef {{name: string, at_ms: number | null, text: string, from_ms?: number}} Step
 */

/** @type {Record<import("../live/sights.js").State, string>} */
const ENDS = {
  open: "not yet",
  painted: "on this page",
  hidden: "nobody looks at this page",
  left: "this page was left",
  failed: "it could not be read within a minute",
};

/**
 * @param {Notice} notice
 * @param {Sight | null} sight null: this page was not called
 * @returns {Step[]}
 */
export function timeline(notice, sight) {
  const { committed, published, heard, written, streams, swept } = notice;
  const base = committed ?? published ?? heard;
  const after = (/** @type {number | null} */ at) => (at === null ? null : Math.max(0, (at - base) * 1000));
  const steps = [
    { name: "committed", at_ms: committed === null ? null : 0, text: committed === null ? "by no transaction" : clock(base) },
    { name: "published", at_ms: after(published), text: swept ? "by a sweeper: the request could not" : "" },
    { name: "heard", at_ms: after(heard), text: "by this worker" },
    { name: "written", at_ms: after(written) ?? sight?.frame.age_ms ?? null, text: browsers(streams, sight !== null) },
  ];
  return sight === null ? steps : [...steps, ...onThisPage(sight)];
}

/**
 * @param {Sight} sight
 * @returns {Step[]}
 */
function onThisPage({ frame, arrived, reads, state, ms }) {
  const age_ms = frame.age_ms ?? 0;
  const trips = [...reads].map(([key, trip]) => ({
    name: "read",
    at_ms: trip === null ? null : Math.max(0, age_ms + trip.began + trip.ms - arrived),
    ...(trip !== null && { from_ms: Math.max(0, age_ms + trip.began - arrived) }),
    text: trip === null ? `${key}: was shown already` : `${key}: ${inWords(trip)}`,
  }));
  const end = state === "painted" ? age_ms + ms : null;
  return [
    { name: "delivered", at_ms: age_ms, text: "to this page" },
    ...trips,
    { name: "painted", at_ms: end, text: ENDS[state] },
  ];
}

/** Where an answer came from, as `Server-Timing` calls it. @type {Record<string, string>} */
const PLACES = { redis: "the cache", database: "the database", memory: "memory" };

/** @param {Trip} trip */
function inWords({ status, source, server_ms, ms }) {
  if (status === 0) return "no answer";
  const from = source ? ` from ${PLACES[source] ?? source}` : "";
  return `${status}${from}, ${whole(ms)} ms (${whole(server_ms)} in the server)`;
}

/** @param {number} streams @param {boolean} isOurs whether this page was told by somebody */
function browsers(streams, isOurs) {
  if (streams === 0) return isOurs ? "by the worker that holds this page's stream" : "no browser of this worker watches that";
  return streams === 1 ? "to one browser" : `to ${streams} browsers`;
}

/** @param {number} seconds since the epoch */
export function clock(seconds) {
  const time = new Date(seconds * 1000);
  const [h, m, s] = [time.getHours(), time.getMinutes(), time.getSeconds()].map((n) => String(n).padStart(2, "0"));
  return `${h}:${m}:${s}`;
}

/** @param {number} ms */
export function whole(ms) {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
