import assert from "node:assert/strict";
import { test } from "node:test";

import { inquiry } from "../../core/static/live/inquiry.js";
import { Clock } from "./engine.js";

test("it asks for the head alone, and says what stands there", async () => {
  /** @type {any[]} */
  const asked = [];
  const fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    asked.push([url, init.method, init.headers]);
    return new Response(null, { status: 503, headers: { "Retry-After": "7" } });
  };

  const reason = await inquiry({ fetch: /** @type {any} */ (fetch), clock: new Clock() })("/live?key=a:b");

  assert.deepEqual(reason, { status: 503, retry_ms: 7_000 });
  assert.deepEqual(asked, [["/live?key=a:b", "HEAD", { Accept: "text/event-stream" }]]);
});

test("no answer is an answer, after ten seconds at the latest", async () => {
  const clock = new Clock();
  const fetch = (/** @type {string} */ _, /** @type {any} */ { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

  const reason = inquiry({ fetch: /** @type {any} */ (fetch), clock })("/live?key=a:b");
  await clock.pass(10_000);

  assert.deepEqual(await reason, { status: 0, retry_ms: 0 });
  assert.equal(clock.waiting, 0);
});
