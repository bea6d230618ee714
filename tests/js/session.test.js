import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Session } from "../../core/static/live/session.js";
import { Signal } from "../../core/static/live/signal.js";
import { Status } from "../../core/static/live/status.js";
import { Store } from "../../core/static/live/store.js";
import { at, Clock, fresh, Reads, settled } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

/** @type {Clock} */
let clock;
/** @type {Reads} */
let reads;
/** @type {Store} */
let store;
/** @type {Status} */
let status;
/** @type {any} */
let tabs;
/** @type {any} */
let page;
/** @type {any} */
let browser;
/** @type {string[]} what the tabs were asked, in order */
let asked;

beforeEach(() => {
  clock = new Clock();
  reads = new Reads();
  store = new Store({ reader: reads, clock, random: () => 0.5, backoff: () => 1_000 });
  status = new Status(clock);
  asked = [];
  tabs = { frames: new Signal(), states: new Signal(), watch: () => asked.push("watch") };
  for (const name of ["join", "leave", "look", "lose"]) tabs[name] = () => asked.push(name);
  page = Object.assign(new EventTarget(), { hidden: false });
  browser = new EventTarget();
});

function start() {
  new Session({ store, tabs, status, clock, random: () => 0.5, document: page, window: browser }).start();
}

const tell = () => {};
const hello = (/** @type {object} */ data) =>
  tabs.frames.emit({ event: "hello", id: at(50), stale: [], denied: [], heartbeat_s: 15, ...data });

test("the regions of a page are told to the tabs together", async () => {
  start();
  asked = [];

  store.watch(LIST, at(40), tell);
  store.watch(DETAIL, at(40), tell);
  await settled();

  assert.deepEqual(asked, ["watch"]);
});

test("what changed between rendering and subscription is read at the point of hello", () => {
  start();
  store.watch(LIST, at(40), tell);
  store.watch(DETAIL, at(40), tell);

  hello({ stale: [LIST] });

  assert.deepEqual(reads.asked, [{ path: "/q/chapters/list/42", floor: String(at(50)), etag: null }]);
});

test("a stale frame is carried to the store and told on the document", () => {
  start();
  store.watch(LIST, at(40), tell);
  /** @type {any} */
  let detail;
  page.addEventListener("live:stale", (/** @type {any} */ event) => (detail = event.detail));

  tabs.frames.emit({ event: "stale", id: at(51), keys: [LIST], cause: "media-linked", trace: "t1", spread_ms: 0 });

  assert.equal(reads.asked[0]?.floor, String(at(51)));
  assert.deepEqual(detail, { keys: [LIST], cause: "media-linked", trace: "t1", id: String(at(51)) });
});

test("a denied key is asked for, and the answer decides", () => {
  start();
  store.watch(LIST, at(40), tell);

  hello({ denied: [LIST] });

  assert.equal(reads.asked.length, 1);
});

test("a key that is still denied is not asked for again; one that is allowed again is", async () => {
  start();
  store.watch(LIST, at(40), tell);
  hello({ denied: [LIST] });
  await reads.answer({ kind: "gone" });

  hello({ denied: [LIST] });
  assert.equal(reads.asked.length, 1);
  hello({});

  assert.equal(reads.asked.length, 2);
});

test("without a stream it asks for every key now and then; with one it does not", async () => {
  start();
  store.watch(LIST, at(40), tell);
  store.watch(DETAIL, at(40), tell);

  tabs.states.emit("degraded");
  await clock.pass(10_000);
  await reads.answer({ kind: "same", stamp: at(40) });
  await reads.answer(fresh(at(41), "<p>new</p>", DETAIL));
  tabs.states.emit("live");
  await clock.pass(60_000);

  assert.deepEqual(reads.asked.map(({ path }) => path), ["/q/chapters/list/42", "/q/courses/detail/42"]);
});

test("a hidden page does not ask", async () => {
  start();
  store.watch(LIST, at(40), tell);
  tabs.states.emit("degraded");

  page.hidden = true;
  await clock.pass(60_000);

  assert.equal(reads.asked.length, 0);
});

test("a page that is seen again reads what it owes, and wakes the stream", () => {
  page.hidden = true;
  start();
  store.watch(LIST, at(40), tell);
  hello({ stale: [LIST] });
  assert.equal(reads.asked.length, 0);

  page.hidden = false;
  page.dispatchEvent(new Event("visibilitychange"));

  assert.equal(reads.asked.length, 1);
  assert.deepEqual(asked.slice(-2), ["join", "look"]);
});

test("a page that is kept for “back” leaves, and comes back when it is shown", () => {
  start();

  browser.dispatchEvent(new Event("pagehide"));
  assert.equal(asked.at(-1), "leave");
  browser.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));

  assert.deepEqual(asked.slice(-2), ["join", "look"]);
});

test("the first showing of a page is no return", () => {
  start();
  asked = [];

  browser.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));

  assert.deepEqual(asked, []);
});

test("a session that ended stops the asking until somebody looks again", async () => {
  start();
  store.watch(LIST, at(40), tell);
  tabs.states.emit("reconnecting");
  await clock.pass(10_000);

  await reads.answer({ kind: "signed-out" });
  await clock.pass(60_000);

  assert.equal(asked.at(-1), "leave");
  assert.equal(reads.asked.length, 1);
  assert.equal(status.report.signedOut, true);
  browser.dispatchEvent(new Event("online"));
  hello({});
  assert.equal(status.report.signedOut, false);
});

test("it asks also while a stream is being opened, for one that never speaks", async () => {
  start();
  store.watch(LIST, at(40), tell);

  tabs.states.emit("connecting");
  await clock.pass(7_500);

  assert.equal(reads.asked.length, 1);
});

test("without a stream, who comes to look is shown what is true within two seconds", async () => {
  start();
  store.watch(LIST, at(40), tell);
  tabs.states.emit("reconnecting");

  page.dispatchEvent(new Event("resume"));
  await clock.pass(2_000);

  assert.equal(reads.asked.length, 1);
});

test("answers make a page without a stream degraded, and their lack out of date", async () => {
  start();
  store.watch(LIST, at(40), tell);
  tabs.states.emit("reconnecting");
  await clock.pass(7_500);
  await reads.answer({ kind: "same", stamp: at(40) });
  assert.equal(status.report.state, "degraded");
  const askedAt = status.report.since;

  await clock.pass(10_000);
  await reads.answer({ kind: "failed", status: 502, retry_ms: 0 });
  await clock.pass(10_000);

  assert.deepEqual([status.report.state, status.report.since], ["stale", askedAt]);
});

test("what hello calls stale is not true before it was read", async () => {
  start();
  store.watch(LIST, at(40), tell);
  const before = status.report.since;
  await clock.pass(3_000);

  hello({ stale: [LIST] });
  tabs.states.emit("live");
  assert.equal(status.report.since, before);
  await reads.answer(fresh(at(50)));
  tabs.frames.emit({ event: "beat", id: at(50) });

  assert.equal(status.report.since, clock.wall());
});
