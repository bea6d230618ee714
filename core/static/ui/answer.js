/**
 * What came back for a form.
 *
 * @typedef {object} Done
 * @property {unknown} result
 * @property {import("./forms.js").KeyParts[]} stale
 * @property {string | null} stamp
 * @property {string | null} message
 * @property {Undo | null} [undo] what takes it back
 */

import { _ } from "../live/texts.js";

/**
 * RFC 9457, with what Coursewire adds.
 *
 * @typedef {object} Problem
 * @property {number} status
 * @property {string} detail
 * @property {Record<string, string>} [errors] a text per field
 * @property {Record<string, unknown>} [theirs] what somebody else saved meanwhile
 * @property {Record<string, unknown>} [mine]
 * @property {Use[]} [uses] where it is used, when that is in the way
 */

/** @typedef {{action: string, arguments: Record<string, unknown>}} Undo an action, and its body */

/** @typedef {{course_title?: string, chapter_title?: string, title?: string, url: string}} Use */

/** @typedef {{done: Done} | {problem: Problem}} Answer */

/**
 * @param {number} status
 * @param {string | null} type the media type
 * @param {string} text
 * @returns {Answer}
 */
export function readAnswer(status, type, text) {
  const body = type && /\bjson\b/.test(type) ? parse(text) : null;
  if (status === 200 && body !== null && "stale" in body) {
    return { done: /** @type {Done} */ (/** @type {unknown} */ (body)) };
  }
  if (status >= 400 && body !== null && typeof body["detail"] === "string") {
    return { problem: { .../** @type {any} */ (body), status } };
  }
  return { problem: { status, detail: inWords(status) } };
}

/**
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
function parse(text) {
  try {
    const body = JSON.parse(text);
    return typeof body === "object" && body !== null ? body : null;
  } catch {
    return null;
  }
}

/**
 * A proxy in between answers in its own words, which help nobody.
 *
 * @param {number} status
 */
function inWords(status) {
  if (status === 413) return _("This is larger than what is accepted here. Nothing was saved.");
  if (status === 429) return _("Too many requests came at once. Wait a minute, then try again.");
  if (status === 401) return _("Your sign-in has ended. Nothing was saved.");
  if (status >= 500) {
    return _("The server has a fault or is being restarted. Nothing was saved as far as we know; try again in a moment.");
  }
  return _("The server gave an answer that makes no sense here ({status}). Reload the page, then try again.", { status });
}
