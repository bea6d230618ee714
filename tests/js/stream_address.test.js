import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, streamUrl } from "../../core/static/live/stream_address.js";
import { at } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

test("the stamp that most keys share is said once", () => {
  const url = streamUrl("/live", [[LIST, at(50)], [DETAIL, at(50)], ["media:list", at(53)]]);

  assert.equal(url, `/live?key=${LIST}&key=${DETAIL}&key=media:list@${at(53)}&since=${at(50)}&reports=1`);
});

test("no more keys are asked for than a stream takes", () => {
  const entries = Array.from({ length: 130 }, (_, i) => /** @type {[string, any]} */ ([`a:b:${i}`, at(40)]));

  assert.deepEqual(fitting(entries, 100), entries.slice(0, 100));
});

test("a key without a stamp borrows nobody else's", () => {
  const url = streamUrl("/live", [[LIST, at(40)], [DETAIL, null]]);

  assert.equal(url, `/live?key=${LIST}@${at(40)}&key=${DETAIL}&reports=1`);
});

test("what is percent-encoded in a key is still so after the address was read", () => {
  const key = "media:list:%7B%22page%22%3A2%7D";

  assert.equal(new URL(streamUrl("http://x/live", [[key, null]])).searchParams.get("key"), key);
});
