import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Journal } from "../../core/static/inspect/journal.js";
import { isNamed, merged } from "../../core/static/inspect/notices.js";
import { timeline } from "../../core/static/inspect/timeline.js";
import { Signal } from "../../core/static/live/signal.js";
import { at, Clock, GENERATION, settled } from "./engine.js";

const LIST = "chapters:list:42";

/** @param {object} [more] @returns {any} */
const notice = (more) => ({
  trace: "t1",
  cause: "media-linked",
  by: "action 'chapters.link_media'",
  keys: [LIST],
  reset: false,
  stamp: String(at(41)),
  committed: 1000,
  published: 1000.002,
  heard: 1000.003,
  written: 1000.004,
  streams: 2,
  swept: false,
  painted_ms: [],
  ...more,
});

/** @param {object} [more] @returns {any} */
const sight = (more) => ({
  frame: { event: "stale", id: at(41), keys: [LIST], age_ms: 4 },
  arrived: 500,
  state: "painted",
  ms: 25,
  reads: new Map([[LIST, { path: "/q", status: 200, source: "redis", server_ms: 1.3, began: 501, ms: 12 }]]),
  ...more,
});

/** @param {import("../../core/static/inspect/timeline.js").Step[]} steps */
const inLines = (steps) => steps.map(({ name, at_ms, text }) => `${name} ${at_ms?.toFixed(0) ?? "-"} ${text}`.trim());

test("the way of a notice goes from the commit to the paint, each clock telling its own part", () => {
  const [first, ...rest] = inLines(timeline(notice(), sight()));

  assert.match(first ?? "", /^committed 0 \d\d:\d\d:\d\d$/);
  assert.deepEqual(rest, [
    "published 2",
    "heard 3 by this worker",
    "written 4 to 2 browsers",
    "delivered 4 to this page",
    "read 17 chapters:list:42: 200 from the cache, 12 ms (1.3 in the server)",
    "painted 29 on this page",
  ]);
});

test("what this page did not do is not told, and what is not known has no time", () => {
  assert.equal(timeline(notice(), null).length, 4);
  const console = notice({ committed: null, published: null, written: null, streams: 0 });
  assert.deepEqual(inLines(timeline(console, null)), [
    "committed - by no transaction",
    "published -",
    "heard 0 by this worker",
    "written - no browser of this worker watches that",
  ]);
  const waiting = sight({ state: "open", reads: new Map([[LIST, null]]) });
  assert.deepEqual(inLines(timeline(notice(), waiting)).slice(-2), [
    "read - chapters:list:42: was shown already",
    "painted - not yet",
  ]);
});

test("a page whose stream another worker holds was told by that one", () => {
  const elsewhere = notice({ written: null, streams: 0 });

  assert.equal(inLines(timeline(elsewhere, sight()))[3], "written 4 by the worker that holds this page's stream");
});

test("a notice calls the keys that it names or prefixes, and a reset calls all", () => {
  assert.ok(isNamed(notice({ keys: ["chapters:list"] }), LIST));
  assert.ok(!isNamed(notice({ keys: ["chapters:list:4"] }), LIST));
  assert.ok(isNamed(notice({ keys: [], reset: true }), LIST));
});

test("of two workers each tells of its own browsers", () => {
  const one = notice({ streams: 3, painted_ms: [9] });
  const other = notice({ streams: 0, written: null });

  assert.deepEqual(merged(one, other), one);
  assert.deepEqual(merged(other, one), { ...one });
});

/** @type {Clock} */
let clock;
/** @type {string[]} */
let asked;
/** @type {any[]} what the server tells next */
let told;
let status = 200;
/** @type {Signal<any>} */
let sights;
/** @type {any[]} */
let entries;
/** @type {Journal} */
let journal;
let hidden = false;

beforeEach(() => {
  clock = new Clock();
  asked = [];
  told = [];
  status = 200;
  hidden = false;
  sights = new Signal();
  entries = [];
  const fetch = /** @type {any} */ (
    async (/** @type {string} */ url) => {
      asked.push(url);
      return Response.json({ traces: told }, { status });
    }
  );
  journal = new Journal({ fetch, clock, sights, isHidden: () => hidden });
  journal.changed.subscribe((all) => (entries = all));
});

test("the journal follows the notices, newest first, and asks again for what is still being told", async () => {
  told = [notice({ stamp: String(at(42)), trace: "t2" }), notice()];
  journal.start();
  await settled();
  told = [notice({ stamp: String(at(90)), trace: "t3" })];
  await clock.pass(1_000);
  await clock.pass(1_000);
  journal.stop();
  await clock.pass(10_000);

  assert.deepEqual(entries.map((entry) => entry.notice.trace), ["t3", "t2", "t1"]);
  assert.deepEqual(asked, [0, 22, 70].map((since) => `/live/traces?since=${since}&most=100`));
});

test("what this page did is laid to its notice, whichever is heard first", async () => {
  const early = sight();
  journal.start();
  await settled();
  sights.emit(early);
  told = [notice({ stamp: String(at(44)), trace: "t2" }), notice(), notice({ stamp: String(at(40)), trace: "t0" })];
  await clock.pass(1_000);
  const late = sight({ frame: { event: "stale", id: at(44), keys: [LIST], age_ms: 1 } });
  sights.emit(late);
  journal.stop();

  assert.deepEqual(entries.map((entry) => entry.sight), [late, early, null]);
});

test("while nobody looks it does not ask, and after a failure it asks less often", async () => {
  hidden = true;
  journal.start();
  await clock.pass(5_000);
  assert.equal(asked.length, 0);
  hidden = false;
  status = 503;
  await clock.pass(1_000);
  await clock.pass(4_000);
  journal.stop();

  assert.equal(asked.length, 1);
});

test("a new generation begins a new list", async () => {
  told = [notice()];
  journal.start();
  await settled();
  told = [notice({ stamp: String(at(3, GENERATION.replaceAll("a", "b"))), trace: "new" })];
  await clock.pass(1_000);
  journal.stop();

  assert.deepEqual(entries.map((entry) => entry.notice.trace), ["new"]);
});
