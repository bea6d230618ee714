/** What the tabs of one browser tell each other. */

import { Stamp } from "./stamps.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./connection.js").Heard} Heard */

/**
 * Stamps go as text: a structured clone loses their class.
 *
 * @typedef {{kind: "watch", tab: string, entries: [string, string | null][], hidden: boolean}
 *   | {kind: "lead" | "wake" | "lose"}
 *   | {kind: "frame", frame: object, id: string | null, covered: readonly string[], to: string | null}
 *   | {kind: "state", state: import("./connection.js").State}} Message
 */

/**
 * @param {Frame} frame
 * @param {readonly string[]} covered
 * @param {string | null} to
 * @returns {Message}
 */
export function pack(frame, covered, to) {
  const id = "id" in frame && frame.id !== null ? String(frame.id) : null;
  return { kind: "frame", frame: "id" in frame ? { ...frame, id: null } : frame, id, covered, to };
}

/**
 * @param {Message & {kind: "frame"}} message
 * @returns {Heard}
 */
export function unpack({ frame, id, covered }) {
  const known = /** @type {Frame} */ (frame);
  return { frame: "id" in known ? { ...known, id: Stamp.parse(id) } : known, covered };
}
