/** The frames of a stream, read from what an EventSource hands over. */

import { keyText } from "./keys.js";
import { Stamp } from "./stamps.js";

/**
 * @typedef {object} Hello always first
 * @property {"hello"} event
 * @property {Stamp | null} id
 * @property {string[]} stale
 * @property {string[]} denied
 * @property {number} heartbeat_s
 * @property {string} [stream] what reports call this stream
 */
/**
 * @typedef {object} Stale
 * @property {"stale"} event
 * @property {Stamp | null} id
 * @property {string[]} keys
 * @property {string} cause
 * @property {string} trace
 * @property {number} spread_ms
 * @property {number | null} [age_ms] how long ago the write was committed, when the frame was written
 * @property {readonly string[]} [reports] traces on which somebody is to report
 * @property {string} [stream] what the report calls the stream
 * @property {string} [witness] the tab that reports
 */
/** @typedef {{event: "finding", key: string, text: string}} Finding what is shown of `key` is proven to be stale */
/** @typedef {{event: "bye", reason: string, retry_ms: number}} Bye */
/** @typedef {{event: "beat", id: Stamp | null} | {event: "degraded"} | {event: "restored"}} Plain */
/** @typedef {Hello | Stale | Finding | Bye | Plain} Frame */

/** @type {readonly Frame["event"][]} */
export const EVENTS = ["hello", "stale", "finding", "bye", "beat", "degraded", "restored"];

/**
 * @param {Frame["event"]} event
 * @param {Pick<MessageEvent<string>, "data" | "lastEventId">} message
 * @returns {Frame}
 */
export function parseFrame(event, { data, lastEventId }) {
  const body = JSON.parse(data);
  // A frame without an id of its own carries that of an earlier one, which is still true.
  const id = Stamp.parse(lastEventId);
  switch (event) {
    case "hello":
      return {
        event,
        id,
        stale: body.stale.map(keyText),
        denied: body.denied.map(keyText),
        heartbeat_s: body.heartbeat_s,
        ...(body.stream && { stream: body.stream }),
      };
    case "stale":
      return {
        event,
        id,
        keys: body.keys.map(keyText),
        cause: body.cause,
        trace: body.trace,
        spread_ms: body.spread_ms,
        age_ms: body.age_ms ?? null,
        reports: body.reports ?? [],
      };
    case "finding":
      return { event, key: keyText(body.key), text: body.text };
    case "bye":
      return { event, reason: body.reason, retry_ms: body.retry_ms };
    case "beat":
      return { event, id };
    default:
      return { event };
  }
}
