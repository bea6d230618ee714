/**
 * What the server sends in place of a long body: the lines that are new, and `[first, count]` for those of
 * the body that we hold.
 *
 * @typedef {(string | [number, number])[]} Delta
 */

/**
 * The new body.
 *
 * @param {string} held
 * @param {Delta} delta
 * @returns {string}
 */
export function applied(held, delta) {
  const lines = held.split("\n");
  return delta
    .flatMap((part) => (typeof part === "string" ? [part] : lines.slice(part[0], part[0] + part[1])))
    .join("\n");
}
