/** The address of a stream, `/live?key=chapters:list:42&key=media:list@…&since=…`, and its limits. */

/** @typedef {import("./stamps.js").Stamp} Stamp */
/** @typedef {readonly (readonly [string, Stamp | null])[]} Entries keys, and the stamps to ask with */

const MOST_CHARACTERS = 7_500; // of the 8190 bytes of a request line
const STAMP_CHARACTERS = 40;

/**
 * As many of these as one stream takes.
 *
 * @param {Entries} entries
 * @param {number} most_keys
 * @returns {Entries}
 */
export function fitting(entries, most_keys) {
  let room = MOST_CHARACTERS;
  return entries.slice(0, most_keys).filter(([key]) => (room -= inQuery(key).length + STAMP_CHARACTERS) > 0);
}

/**
 * The address of a stream. Most keys share one stamp, which `since` says once, to keep it short.
 *
 * @param {string} url
 * @param {Entries} entries
 * @returns {string}
 */
export function streamUrl(url, entries) {
  const stamps = entries.map(([, stamp]) => String(stamp));
  // A key without a stamp must not borrow `since`: it asks to be told that it is stale.
  const since = stamps.includes("null") ? null : mostCommon(stamps);
  const keys = entries.map(([key, stamp]) => {
    return `key=${inQuery(key)}${stamp === null || String(stamp) === since ? "" : `@${stamp}`}`;
  });
  return `${url}?${[...keys, ...(since === null ? [] : [`since=${since}`]), "reports=1"].join("&")}`;
}

/** @param {string} key */
function inQuery(key) {
  return encodeURIComponent(key).replaceAll("%3A", ":");
}

/** @param {readonly string[]} stamps */
function mostCommon(stamps) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const stamp of stamps) counts.set(stamp, (counts.get(stamp) ?? 0) + 1);
  const [first] = [...counts].sort(([, a], [, b]) => b - a);
  return first?.[0] ?? null;
}
