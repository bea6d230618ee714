/**
 * Keys: the one address of data, its copy on this page, and its subscription.
 *
 *     JSON    ["media", "list", {"page": 2}]        what answers and frames carry
 *     text    media:list:%7B%22page%22%3A2%7D       what elements carry and what is compared
 *     path    /q/media/list?page=2                  what is fetched
 *
 * Text has one canonical spelling, the server's own: all but `A-Z a-z 0-9 _ . ~ -` percent-encoded,
 * options as one last object with sorted names. It says nothing of types ("42" may be a number or
 * a text): the server alone knows, and its answers tell the canonical key (`Live-Key`).
 */

/** @typedef {string | number | boolean} Scalar */
/** @typedef {Readonly<Record<string, Scalar>>} Options */
/** @typedef {readonly (Scalar | Options)[]} KeyParts */

/**
 * @param {KeyParts} parts
 * @returns {string}
 */
export function keyText(parts) {
  return parts.map(encodeSegment).join(":");
}

/**
 * Whether `name` is `key` itself or a prefix of it: naming a key names every key it prefixes.
 *
 * @param {string} name
 * @param {string} key
 * @returns {boolean}
 */
export function names(name, key) {
  return key === name || key.startsWith(`${name}:`);
}

/**
 * The address that answers `key`.
 *
 * @param {string} key
 * @returns {string}
 */
export function keyPath(key) {
  const segments = key.split(":");
  const options = Object.entries(optionsOf(key));
  if (options.length === 0) return `/q/${segments.join("/")}`;
  // Sorted by name, as they stand in the key: the server answers any other order with a redirect.
  const query = new URLSearchParams(options.map(([name, value]) => [name, String(value)]));
  return `/q/${segments.slice(0, -1).join("/")}?${query}`;
}

/**
 * The options that `key` ends with, empty when it has none.
 *
 * @param {string} key
 * @returns {Options}
 */
export function optionsOf(key) {
  const last = decodeURIComponent(key.slice(key.lastIndexOf(":") + 1));
  if (!last.startsWith("{")) return {};
  try {
    return JSON.parse(last);
  } catch {
    return {}; // a text parameter that happens to begin with a brace
  }
}

/**
 * @param {Scalar | Options} part
 * @returns {string}
 */
function encodeSegment(part) {
  const text = typeof part === "object" ? JSON.stringify(part, Object.keys(part).sort()) : String(part);
  // encodeURIComponent leaves these five alone; Python's quote(safe="") does not.
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
