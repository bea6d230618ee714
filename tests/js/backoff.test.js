import assert from "node:assert/strict";
import { test } from "node:test";

import { fullJitter } from "../../core/static/live/backoff.js";

test("the bound doubles from attempt to attempt up to the longest wait", () => {
  const backoff = fullJitter(() => 1, { first_ms: 1_000, longest_ms: 30_000 });

  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 1_000].map(backoff), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("jitter is full: a wait may be anything from nothing to the bound", () => {
  assert.equal(fullJitter(() => 0)(5), 0);
  assert.equal(fullJitter(() => 0.5)(1), 1_000);
});
