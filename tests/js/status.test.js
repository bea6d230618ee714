import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Status } from "../../core/static/live/status.js";
import { Clock } from "./engine.js";

/** @type {Clock} */
let clock;
/** @type {Status} */
let status;

beforeEach(() => {
  clock = new Clock();
  status = new Status(clock);
});

const word = () => status.report.state;

test("it begins by connecting, and is live when the stream is", () => {
  assert.equal(word(), "connecting");

  status.connection("live");

  assert.equal(word(), "live");
});

test("a stream lost for ten seconds means that the page may be out of date", async () => {
  status.connection("live");
  status.connection("reconnecting");

  await clock.pass(9_999);
  assert.equal(word(), "reconnecting");
  await clock.pass(1);

  assert.equal(word(), "stale");
});

test("further attempts do not begin the ten seconds anew", async () => {
  status.connection("live");
  status.connection("reconnecting");
  await clock.pass(6_000);

  status.connection("reconnecting");
  await clock.pass(4_000);

  assert.equal(word(), "stale");
});

test("it may be out of date since something was last heard, not since that was noticed", async () => {
  status.connection("live");
  await clock.pass(5_000);
  status.heard(false);
  const heardAt = clock.wall();
  await clock.pass(37_500);

  status.connection("reconnecting");

  assert.equal(status.report.since, heardAt);
});

test("offline is said at once and stays the word", async () => {
  status.connection("live");
  status.connection("offline");

  await clock.pass(60_000);

  assert.equal(word(), "offline");
});

test("reads that fail while the stream is well make the page out of date after a while", async () => {
  status.connection("live");

  status.trouble(true);
  assert.equal(word(), "live");
  await clock.pass(10_000);
  assert.equal(word(), "stale");
  status.trouble(false);

  assert.equal(word(), "live");
});

test("degraded is no reason for doubt: the page asks", async () => {
  status.connection("degraded");

  await clock.pass(60_000);

  assert.equal(word(), "degraded");
});

test("signed out, the page is out of date at once", () => {
  status.connection("live");

  status.signedOut(true);

  assert.deepEqual([word(), status.report.signedOut], ["stale", true]);
});

test("back to live it leaves no timer", () => {
  status.connection("live");
  status.connection("reconnecting");

  status.connection("live");

  assert.equal(clock.waiting, 0);
});

test("a page without a stream that asks, and is answered, is degraded: true as of the last round", async () => {
  status.connection("live");
  status.connection("reconnecting");
  await clock.pass(8_000);

  status.asked({ answered: true, began: clock.wall() - 100 });
  await clock.pass(15_000);

  assert.equal(word(), "degraded");
  assert.equal(status.report.since, clock.wall() - 15_100);
});

test("a page that asks in vain is out of date since it was last answered", async () => {
  status.connection("degraded");
  status.asked({ answered: true, began: clock.wall() });
  const answeredAt = clock.wall();
  await clock.pass(10_000);

  status.asked({ answered: false, began: clock.wall() });
  await clock.pass(10_000);

  assert.deepEqual(status.report, { state: "stale", since: answeredAt, signedOut: false });
});

test("an answer of half a minute ago is none: nobody looked, or the machine slept", async () => {
  status.connection("reconnecting");
  status.asked({ answered: true, began: clock.wall() });

  await clock.pass(40_000);

  assert.equal(word(), "stale");
});

test("back to live the asking no longer counts", async () => {
  status.connection("reconnecting");
  status.asked({ answered: false, began: clock.wall() });

  status.connection("live");
  await clock.pass(60_000);

  assert.equal(word(), "live");
  assert.equal(clock.waiting, 0);
});

test("while something shown is known to be old, the stream makes nothing true", async () => {
  status.connection("live");
  status.heard(false);
  const trueAt = clock.wall();
  await clock.pass(5_000);

  status.heard(true);

  assert.equal(status.report.since, trueAt);
});
