import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Signal } from "../../core/static/live/signal.js";
import { Sights } from "../../core/static/live/sights.js";
import { Store } from "../../core/static/live/store.js";
import { witness } from "../../core/static/live/witness.js";
import { at, Clock, fresh, Reads } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

/** @type {Clock} */
let clock;
/** @type {Reads} */
let reads;
/** @type {Signal<any>} */
let trips;
/** @type {Store} */
let store;
/** @type {Sights} */
let sights;
/** @type {Signal<any>} */
let frames;
/** @type {(() => void)[]} what is to run after the next paint */
let painting;
/** @type {any[]} */
let reports;
let hidden = false;

beforeEach(() => {
  clock = new Clock();
  reads = new Reads();
  trips = new Signal();
  frames = new Signal();
  painting = [];
  reports = [];
  hidden = false;
  store = new Store({ reader: reads, clock, random: () => 0.5, backoff: () => 1_000 });
  frames.subscribe(({ keys, id, trace }) => store.invalidate(keys, { stamp: id, trace }));
  sights = new Sights({
    store,
    reader: { trips },
    frames,
    clock,
    afterPaint: (run) => void painting.push(run),
    isHidden: () => hidden,
  });
  witness(sights.changed, (report) => void reports.push(JSON.parse(report)));
  store.watch(LIST, at(40), () => {});
  store.watch(DETAIL, at(40), () => {});
});

/** @param {object} [said] */
const stale = (said) =>
  frames.emit({ event: "stale", id: at(41), keys: [LIST], age_ms: 3, reports: ["t1"], stream: "s1", ...said });
const paint = () => painting.splice(0).forEach((run) => run());

test("a write is reported once all that it named is painted", async () => {
  stale({ keys: [LIST, DETAIL] });
  await clock.pass(20);
  await reads.answer(fresh(at(41)));
  paint();
  assert.deepEqual(reports, []);

  await reads.answer(fresh(at(41), "<p>new</p>", DETAIL));
  await clock.pass(9);
  paint();

  assert.deepEqual(reports, [
    { stream: "s1", seen: [{ trace: "t1", state: "painted", age_ms: 3, painted_ms: 29 }] },
  ]);
});

test("a page that shows it already, by its own action, reports at once", () => {
  stale({ id: at(40) });
  paint();

  assert.equal(reports[0].seen[0].state, "painted");
  assert.equal(reports[0].seen[0].painted_ms, 0);
});

test("an answer from before the write is not what was asked for", async () => {
  store.invalidate([LIST], { stamp: at(40) });
  store.check(LIST);
  stale();
  await reads.answer(fresh(at(40)));
  assert.equal(painting.length, 0);

  await reads.answer(fresh(at(41)));
  paint();

  assert.equal(reports.length, 1);
});

test("a page that nobody looks at does not count, and says so", () => {
  hidden = true;
  stale();
  hidden = false;
  stale({ reports: ["t2"] });
  sights.leave("left");

  assert.deepEqual(reports.map(({ seen }) => [seen[0].trace, seen[0].state]), [
    ["t1", "hidden"],
    ["t2", "left"],
  ]);
});

test("what cannot be read within a minute has failed", async () => {
  stale();
  await clock.pass(60_000);

  assert.equal(reports[0].seen[0].state, "failed");
});

test("a frame that asks for no report gets none", () => {
  stale({ id: at(40), reports: [] });
  paint();

  assert.deepEqual(reports, []);
});

test("a sight tells of each key how it was read", async () => {
  /** @type {any} */
  let seen;
  sights.changed.subscribe((sight) => (seen = sight));
  stale();

  trips.emit({ path: "/q/chapters/list/42", status: 200, source: "redis", server_ms: 1, began: clock.now(), ms: 4 });
  await reads.answer(fresh(at(41)));

  assert.equal(seen.reads.get(LIST).source, "redis");
  assert.equal(seen.state, "open");
  paint();
  assert.equal(seen.state, "painted");
});
