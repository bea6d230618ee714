/** `Retry-After`: when a server that is too busy wants to be asked again (RFC 9110, 10.2.3). */

/** A mistaken header is not to silence a page for the day. */
const LONGEST_MS = 300_000;

/**
 * @param {Pick<Response, "headers">} response
 * @param {number} wall milliseconds since 1970; a date in the header means that clock
 * @returns {number} milliseconds; 0 where it says nothing
 */
export function retryAfter({ headers }, wall) {
  const text = headers.get("Retry-After")?.trim() ?? "";
  const isDate = text.endsWith("GMT"); // anything else Date.parse makes a date of too
  const wait_ms = isDate ? Date.parse(text) - wall : Number(text) * 1000;
  return Math.min(Math.max(wait_ms || 0, 0), LONGEST_MS);
}
