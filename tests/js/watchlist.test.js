import assert from "node:assert/strict";
import { test } from "node:test";

import { Watchlist } from "../../core/static/live/watchlist.js";
import { at } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

/** @param {Watchlist} list */
const entries = (list) => list.entries.map(([key, stamp]) => `${key}@${stamp}`);

test("a key that no stream has answered for is asked with the stamp of what is shown", () => {
  const list = new Watchlist();

  list.add(LIST, at(40));

  assert.deepEqual(entries(list), [`${LIST}@${at(40)}`]);
});

test("a confirmed key is asked with the point up to which the stream was heard", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));

  list.begin(at(45), [LIST], []);
  list.hear(at(50));
  list.add(DETAIL, at(47));

  assert.deepEqual(entries(list), [`${LIST}@${at(50)}`, `${DETAIL}@${at(47)}`]);
});

test("of two who show one key, the older counts", () => {
  const list = new Watchlist();

  list.add(LIST, at(45));
  list.add(LIST, at(40));
  list.add(DETAIL, at(45));
  list.add(DETAIL, null);

  assert.deepEqual(entries(list), [`${LIST}@${at(40)}`, `${DETAIL}@null`]);
});

test("what did not change since it was asked for is current at every stamp from there on", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));
  list.begin(at(50), [LIST], []);

  assert.ok(list.isCurrent(LIST, at(40)));
  assert.ok(list.isCurrent(LIST, at(45)));
  assert.ok(!list.isCurrent(LIST, at(39)));
  assert.ok(!list.isCurrent(LIST, null));
});

test("what changed is current only from the change on", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));
  list.begin(at(50), [LIST], []);

  list.change(at(53), [LIST]);

  assert.ok(!list.isCurrent(LIST, at(52)));
  assert.ok(list.isCurrent(LIST, at(53)));
  assert.equal(String(list.heard), String(at(53)));
});

test("a stream that begins without Redis knows no stamp", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));

  list.begin(null, [LIST], [LIST]);

  assert.deepEqual(entries(list), [`${LIST}@null`]);
  assert.ok(!list.isCurrent(LIST, at(40)));
});

test("what nobody shows any more is forgotten, and starts anew when it comes back", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));
  list.begin(at(50), [LIST], []);

  list.keep(new Set());
  list.add(LIST, at(44));

  assert.ok(!list.isConfirmed(LIST));
  assert.deepEqual(entries(list), [`${LIST}@${at(44)}`]);
});

test("what a new stream does not watch is asked for from where the last one was heard", () => {
  const list = new Watchlist();
  list.add(LIST, at(40));
  list.add(DETAIL, at(40));
  list.begin(at(50), [LIST, DETAIL], []);

  list.begin(at(60), [DETAIL], []);
  list.hear(at(61));

  assert.deepEqual(entries(list), [`${LIST}@${at(50)}`, `${DETAIL}@${at(61)}`]);
});
