import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Connection } from "../../core/static/live/connection.js";
import { at, Clock, Inquiries, Streams, settled } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

/** @type {Clock} */
let clock;
/** @type {Streams} */
let streams;
/** @type {Inquiries} */
let inquiries;
/** @type {Connection} */
let connection;
/** @type {string[]} */
let states;
let isOnline = true;

beforeEach(() => {
  clock = new Clock();
  streams = new Streams();
  inquiries = new Inquiries();
  isOnline = true;
  connection = new Connection({
    url: "/live",
    most_keys: 100,
    inquire: inquiries.inquire,
    open: streams.open,
    clock,
    random: () => 0.5,
    backoff: (attempt) => 1_000 * 2 ** attempt,
    isOnline: () => isOnline,
  });
  states = [];
  connection.states.subscribe((state) => states.push(state));
});

async function live(keys = [LIST]) {
  connection.watch(keys.map((key) => [key, at(40)]));
  await clock.pass(20);
  streams.last.hello(at(50));
}

test("the keys of one moment make one stream", async () => {
  connection.watch([[LIST, at(40)]]);
  connection.watch([[LIST, at(40)], [DETAIL, at(40)]]);

  await clock.pass(20);

  assert.equal(streams.all.length, 1);
  assert.deepEqual(streams.last.keys, [LIST, DETAIL]);
  assert.equal(streams.last.since, String(at(40)));
});

test("it is live when the server has said hello, not before", async () => {
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);
  assert.equal(connection.state, "connecting");

  streams.last.hello(at(50));

  assert.equal(connection.state, "live");
});

test("a page that shows nothing live is live without a stream", async () => {
  connection.watch([]);
  await clock.pass(1_000);

  assert.deepEqual(states, ["live"]);
  assert.equal(streams.all.length, 0);
});

test("a new key is a new stream, which goes on where the old one was heard", async () => {
  await live();
  streams.last.say("beat", {}, at(55));

  connection.watch([[LIST, at(40)], [DETAIL, at(53)]]);
  await clock.pass(200);

  assert.equal(streams.all.length, 2);
  assert.equal(streams.alive.length, 1);
  assert.deepEqual(streams.last.keys, [LIST, `${DETAIL}@${at(53)}`]);
  assert.equal(streams.last.since, String(at(55)));
  assert.deepEqual(states, ["live"], "nobody is told of it");
});

test("somebody who searches opens one stream at the end, not one a letter", async () => {
  await live();

  for (const letter of ["a", "ab", "abc"]) {
    connection.watch([[LIST, at(40)], [`media:list:${letter}`, at(50)]]);
    await clock.pass(100);
  }
  await clock.pass(200);

  assert.equal(streams.all.length, 2);
  assert.match(streams.last.url.search, /media:list:abc/);
});

test("a key less is no reason for a new stream", async () => {
  await live([LIST, DETAIL]);

  connection.watch([[LIST, at(40)]]);
  await clock.pass(10_000);

  assert.equal(streams.all.length, 1);
});

test("a key that went and came back is asked for anew: nobody heard what was told in between", async () => {
  await live([LIST, DETAIL]);
  connection.watch([[LIST, at(40)]]);
  streams.last.stale(at(61), ["courses", "detail", 42]);

  connection.watch([[LIST, at(40)], [DETAIL, at(60)]]);
  await clock.pass(200);

  assert.deepEqual(streams.last.keys, [LIST, `${DETAIL}@${at(60)}`]);
});

test("after an error it closes the stream and comes back by itself, later and later", async () => {
  await live();
  const first = streams.last;

  first.fail();
  assert.ok(first.closed);
  await clock.pass(999);
  assert.equal(streams.all.length, 1);
  await clock.pass(1);
  streams.last.fail();
  await clock.pass(2_000);

  assert.equal(streams.all.length, 3);
  assert.deepEqual(states, ["live", "reconnecting", "reconnecting"]);
});

test("a reconnection asks from where the stream was heard, and hello ends the waiting", async () => {
  await live();
  streams.last.stale(at(61), ["chapters", "list", 42]);
  streams.last.fail();
  await clock.pass(1_000);

  assert.equal(streams.last.since, String(at(61)));
  streams.last.hello(at(70));
  streams.last.fail();
  await clock.pass(1_000);

  assert.equal(streams.all.length, 3, "the next wait is a first one again");
});

test("a stream that does not open in time is given up", async () => {
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);

  await clock.pass(15_000);

  assert.ok(streams.all[0]?.closed);
  assert.equal(connection.state, "reconnecting");
});

test("silence for two beats and a half is the end of a stream", async () => {
  await live();

  await clock.pass(30_000);
  streams.last.say("beat", {}, at(51));
  await clock.pass(37_499);
  assert.equal(connection.state, "live");
  await clock.pass(1);

  assert.equal(connection.state, "reconnecting");
});

test("the server says how often its heart beats", async () => {
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);
  streams.last.hello(at(50), { heartbeat_s: 2 });

  await clock.pass(5_000);

  assert.equal(connection.state, "reconnecting");
});

test("a goodbye is followed at a moment of its own, and a short one disturbs nobody", async () => {
  await live();

  streams.last.say("bye", { reason: "drain", retry_ms: 1_000 });
  assert.ok(streams.last.closed);
  await clock.pass(499);
  assert.equal(streams.all.length, 1);
  await clock.pass(1);
  streams.last.hello(at(51));

  assert.equal(streams.all.length, 2);
  assert.deepEqual(states, ["live"]);
});

test("what comes after a stream was closed is not heard", async () => {
  await live();
  const old = streams.last;
  let frames = 0;
  old.fail();
  connection.frames.subscribe(() => (frames += 1));

  old.stale(at(99), ["chapters", "list", 42]);
  old.fail();

  assert.equal(frames, 0);
  assert.equal(String(connection.list.heard), String(at(50)));
});

test("degraded and restored are told as they come", async () => {
  await live();

  streams.last.say("degraded");
  streams.last.say("restored");

  assert.deepEqual(states, ["live", "degraded", "live"]);
});

test("a failure without a network is called offline; the trying goes on", async () => {
  await live();
  isOnline = false;

  connection.lose();
  assert.equal(connection.state, "offline");
  await clock.pass(1_000);

  assert.equal(streams.all.length, 2, "navigator.onLine lies on some machines");
});

test("back online it opens soon, however long it was to wait", async () => {
  await live();
  for (let i = 0; i < 6; i += 1) {
    streams.last.fail();
    await clock.pass(1_000 * 2 ** i);
  }
  streams.last.fail();
  const before = streams.all.length;

  connection.wake();
  await clock.pass(250);

  assert.equal(streams.all.length, before + 1);
});

test("a machine that slept opens anew; one that did not keeps its stream", async () => {
  await live();

  connection.wake();
  await clock.pass(500);
  assert.equal(streams.all.length, 1);
  clock.sleep(8 * 3_600_000);
  connection.wake();
  await clock.pass(500);

  assert.equal(streams.alive.length, 1);
  assert.equal(streams.last.since, String(at(50)));
});

test("when nobody looks a lost stream can wait a minute or two", async () => {
  await live();
  connection.patient = true;

  streams.last.fail();
  await clock.pass(89_999);
  assert.equal(streams.all.length, 1);
  await clock.pass(1);

  assert.equal(streams.all.length, 2);
});

test("more keys than a stream takes are called degraded, so that the others are asked for", async () => {
  const keys = Array.from({ length: 130 }, (_, i) => `chapters:list:${i}`);

  await live(keys);
  await clock.pass(1_000);

  assert.equal(streams.last.keys.length, 100);
  assert.equal(connection.state, "degraded");
  assert.equal(streams.all.length, 1);
});

test("stopped, it has no stream and no timer", async () => {
  await live();

  connection.stop();

  assert.equal(streams.alive.length, 0);
  assert.equal(clock.waiting, 0);
});

test("long keys do not make an address that servers refuse", async () => {
  await live(Array.from({ length: 100 }, (_, i) => `chapters:picker:${i}:%7B%22search%22%3A%22${"x".repeat(90)}%22%7D`));

  assert.ok(streams.last.url.href.length < 8_000);
  assert.equal(connection.state, "degraded");
});

test("a stream that says nothing for five seconds is said to be missing, and may still come", async () => {
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);

  await clock.pass(5_000);
  assert.equal(connection.state, "reconnecting");
  assert.equal(streams.alive.length, 1);
  streams.last.hello(at(50));

  assert.equal(connection.state, "live");
  assert.equal(streams.all.length, 1);
});

test("a machine that slept does not call itself live until the stream is back", async () => {
  await live();
  clock.sleep(8 * 3_600_000);

  connection.wake();

  assert.equal(connection.state, "reconnecting");
});

test("a clock that was set back proves nothing: the stream is opened anew", async () => {
  await live();
  clock.set(-5 * 3_600_000);

  connection.wake();
  await clock.pass(500);

  assert.equal(streams.all.length, 2);
});

test("a clock that was set neither ends a stream nor keeps a dead one", async () => {
  await live();

  clock.set(5 * 3_600_000);
  await clock.pass(37_499);
  assert.equal(streams.all.length, 1);
  clock.set(-9 * 3_600_000);
  await clock.pass(1);

  assert.equal(connection.state, "reconnecting");
});

test("of a stream that never opened it is asked why; of one that broke off, not", async () => {
  await live();
  streams.last.fail();
  assert.deepEqual(inquiries.asked, []);
  await clock.pass(1_000);

  streams.last.fail();

  assert.deepEqual(inquiries.asked, [streams.last.url.pathname + streams.last.url.search]);
});

test("of a stream that is refused because nobody is signed in, all keys are to be read at once", async () => {
  /** @type {import("../../core/static/live/frames.js").Frame[]} */
  const heard = [];
  connection.frames.subscribe(({ frame }) => heard.push(frame));
  inquiries.reason = { status: 401, retry_ms: 0 };
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);

  streams.last.fail();
  await settled();

  const told = /** @type {import("../../core/static/live/frames.js").Stale} */ (heard.at(-1));
  assert.deepEqual([told.event, told.keys, told.cause], ["stale", [LIST], "access"]);
});

test("a server that says when to come back is asked again only then", async () => {
  inquiries.reason = { status: 503, retry_ms: 60_000 };
  await live();
  streams.last.fail();
  await clock.pass(1_000);
  streams.last.fail();
  await clock.pass(0);

  connection.wake();
  await clock.pass(59_999);
  assert.equal(streams.all.length, 2, "whoever looks");
  await clock.pass(4_001);

  assert.equal(streams.all.length, 3);
});

test("a server that takes fewer keys than it said is asked for half as many", async () => {
  inquiries.reason = { status: 400, retry_ms: 0 };
  connection.watch(["a", "b", "c", "d", "e"].map((name) => [`x:${name}`, at(40)]));
  await clock.pass(20);
  streams.last.fail();
  await clock.pass(0);
  await clock.pass(1_000);

  assert.equal(streams.last.keys.length, 2);
  streams.last.hello(at(50));

  assert.equal(connection.state, "degraded");
});

test("who comes to look does not wait for a stream that should have begun", async () => {
  connection.watch([[LIST, at(40)]]);
  await clock.pass(20);
  await clock.pass(4_000);
  connection.wake();
  await clock.pass(500);
  assert.equal(streams.all.length, 1, "it may still begin");
  await clock.pass(500);

  connection.wake();
  await clock.pass(500);

  assert.equal(streams.all.length, 2);
});
