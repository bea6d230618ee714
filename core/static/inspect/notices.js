/** Notices as `GET /live/traces` tells of them, and what this page did about each. */

import { names } from "../live/keys.js";
import { Stamp } from "../live/stamps.js";

/** @typedef {import("../live/sights.js").Sight} Sight */

/**
 * @typedef {object} Notice
 * @property {string} trace
 * @property {string} cause
 * @property {string} by who wrote; empty where that is not known any more
 * @property {string[]} keys
 * @property {boolean} reset every key is named
 * @property {string} stamp
 * @property {number | null} committed seconds since the epoch, as are the next three
 * @property {number | null} published
 * @property {number} heard
 * @property {number | null} written
 * @property {number} streams
 * @property {boolean} swept
 * @property {number[]} painted_ms of the browsers that have reported
 */

/**
 * Whether a notice calls the regions that show *key*.
 *
 * @param {Notice} notice
 * @param {string} key
 */
export function isNamed({ keys, reset }, key) {
  return reset || keys.some((name) => names(name, key));
}

/**
 * The same notice, told twice: each worker knows of its own streams only.
 *
 * @param {Notice} known
 * @param {Notice} told
 * @returns {Notice}
 */
export function merged(known, told) {
  const more = told.painted_ms.length > known.painted_ms.length ? told : known;
  const last = told.streams >= known.streams ? told : known;
  return { ...known, streams: last.streams, written: last.written ?? known.written, painted_ms: more.painted_ms };
}

/**
 * Whether a sight is that of a notice. Notices that come together are one frame, which carries the
 * stamp of the last: so it is that of all since the frame before that name one of its keys.
 *
 * @param {Sight} sight
 * @param {Sight | null} before null: nothing is known of earlier ones
 * @param {Notice} notice
 */
export function isSightOf({ frame }, before, notice) {
  const stamp = Stamp.parse(notice.stamp);
  if (stamp === null || !frame.id?.reaches(stamp) || !frame.keys.some((key) => isNamed(notice, key))) return false;
  if (stamp.sequence === frame.id.sequence) return true;
  return !!before?.frame.id?.isBefore(stamp);
}
