import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Connection } from "../../core/static/live/connection.js";
import { Tabs } from "../../core/static/live/tabs.js";
import { at, Channels, Clock, Inquiries, Locks, settled, Streams } from "./engine.js";

const LIST = "chapters:list:42";
const DETAIL = "courses:detail:42";

/** @type {Clock} */
let clock;
/** @type {Streams} */
let streams;
/** @type {Locks} */
let locks;
/** @type {Channels} */
let channels;
let count = 0;
const LOCK = "coursewire:live:7";

beforeEach(() => {
  clock = new Clock();
  streams = new Streams();
  locks = new Locks();
  channels = new Channels();
});

/** @param {{user?: number, locks?: any, time?: Clock, openChannel?: any}} [how] */
function tab({ user = 7, locks: given = locks, time = clock, openChannel = channels.open } = {}) {
  const it = {
    hidden: false,
    /** @type {any[]} */
    frames: [],
    /** @type {string[]} */
    states: [],
    tabs: new Tabs({
      name: `coursewire:live:${user}`,
      id: `tab${(count += 1)}`,
      connect: () =>
        new Connection({
          url: "/live",
          most_keys: 100,
          inquire: new Inquiries().inquire,
          open: streams.open,
          clock: time,
          random: () => 0.5,
          backoff: () => 1_000,
          isOnline: () => true,
        }),
      locks: given,
      openChannel,
      clock: time,
      isHidden: () => it.hidden,
    }),
    stale: () => it.frames.flatMap((frame) => (frame.event === "stale" ? frame.keys : frame.event === "hello" ? frame.stale : [])),
  };
  it.tabs.frames.subscribe((frame) => it.frames.push(frame));
  it.tabs.states.subscribe((state) => it.states.push(state));
  return it;
}

/** Messages between tabs, and locks, take a few turns of the event loop. */
async function quiet() {
  for (let i = 0; i < 12; i += 1) await settled();
}

/** @param {ReturnType<typeof tab>} it @param {...[string, any]} entries */
async function open(it, ...entries) {
  it.tabs.watch(entries);
  it.tabs.join();
  await quiet();
}

test("all tabs of a user share one stream, which watches what any of them shows", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [DETAIL, at(41)]);
  await clock.pass(20);

  assert.equal(streams.all.length, 1);
  assert.deepEqual([first.tabs.leads, second.tabs.leads], [true, false]);
  assert.equal(streams.last.keys.length, 2);
});

test("each tab is told of its own keys, and of nobody else's", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [DETAIL, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50), { verdict: "stale", stale: [["chapters", "list", 42]] });
  streams.last.stale(at(51), ["courses", "detail", 42]);
  await quiet();

  assert.deepEqual(first.stale(), [LIST]);
  assert.deepEqual(second.stale(), [DETAIL]);
  assert.equal(String(second.frames.at(-1).id), String(at(51)));
  assert.deepEqual([first.states.at(-1), second.states.at(-1)], ["live", "live"]);
});

test("two users of one browser have a stream each", async () => {
  const [first, second] = [tab({ user: 7 }), tab({ user: 8 })];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);

  assert.equal(streams.alive.length, 2);
});

test("a tab that opens later, and shows what the stream already watches, opens no other stream", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));

  await open(second, [LIST, at(48)]);
  await clock.pass(1_000);

  assert.equal(streams.all.length, 1);
  assert.deepEqual(second.stale(), []);
  assert.equal(second.states.at(-1), "live");
});

test("a tab that opens later with something older is told that it is stale", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));
  streams.last.stale(at(53), ["chapters", "list", 42]);

  await open(second, [LIST, at(52)]);

  assert.deepEqual(second.stale(), [LIST]);
  assert.equal(String(second.frames[0].id), String(at(53)));
});

test("when the leader closes the next tab goes on from what was heard", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [DETAIL, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));
  streams.last.say("beat", {}, at(55));
  await quiet();

  first.tabs.leave();
  await quiet();
  await clock.pass(20);

  assert.equal(second.tabs.leads, true);
  assert.equal(streams.alive.length, 1);
  assert.deepEqual(streams.last.keys, [DETAIL]);
  assert.equal(streams.last.since, String(at(55)));
});

test("a change between two leaders is told by the new one's hello", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));
  await quiet();

  first.tabs.leave();
  await quiet();
  await clock.pass(20);
  streams.last.hello(at(56), { verdict: "stale", stale: [["chapters", "list", 42]] });

  assert.deepEqual(second.stale(), [LIST]);
});

test("a tab that crashes is no longer watched for", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  const crash = new AbortController();
  const mortal = tab({
    locks: {
      // A browser takes back the locks of a tab that crashed; no goodbye is heard.
      request: (/** @type {string} */ name, /** @type {any} */ options, /** @type {any} */ callback) =>
        locks.request(name, options, async () => {
          void callback({});
          await new Promise((resolve) => crash.signal.addEventListener("abort", resolve));
        }),
    },
  });
  await open(mortal, [DETAIL, at(40)]);
  await clock.pass(20);
  assert.equal(streams.last.keys.length, 2);

  crash.abort();
  await quiet();
  await open(second, ["media:list", at(40)]);
  await clock.pass(200);

  assert.deepEqual(streams.last.keys.map((key) => key.split("@")[0]), [LIST, "media:list"]);
});

test("a leader that fell silent loses its place to a tab that somebody sees", async () => {
  const frozen = new Clock();
  const [first, second] = [tab({ time: frozen }), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);
  await frozen.pass(20);
  streams.last.hello(at(50));
  await quiet();

  await clock.pass(37_500);
  await quiet();
  await clock.pass(20);

  assert.deepEqual([first.tabs.leads, second.tabs.leads], [false, true]);
  assert.equal(streams.alive.length, 1);
  assert.equal(streams.last.since, String(at(50)));
});

test("a hidden tab takes a silent leader's place only when it is seen again", async () => {
  const frozen = new Clock();
  const [first, second] = [tab({ time: frozen }), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);

  second.hidden = true;
  await clock.pass(300_000);
  assert.equal(second.tabs.leads, false);
  second.hidden = false;
  channels.mute(LOCK);
  second.tabs.look();
  await clock.pass(3_000);
  await quiet();

  assert.equal(second.tabs.leads, true);
});

test("of one key that two tabs show the stream asks from the older", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(45)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);

  assert.equal(streams.last.since, String(at(40)));
});

test("a tab that is kept for “back” hears nothing and leads nobody; when it returns it asks anew", async () => {
  const only = tab();
  await open(only, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));

  only.tabs.leave();
  await quiet();
  assert.equal(streams.alive.length, 0);
  only.tabs.join();
  await quiet();
  await clock.pass(20);

  assert.equal(streams.alive.length, 1);
  assert.equal(streams.last.since, String(at(50)));
});

test("without Web Locks every tab has its own stream", async () => {
  const [first, second] = [tab({ locks: null }), tab({ locks: null })];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);

  assert.equal(streams.alive.length, 2);
  assert.deepEqual([first.tabs.leads, second.tabs.leads], [true, true]);
});

test("what the server denied to the stream it denies to a tab that opens later", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50), { denied: [["chapters", "list", 42]] });

  await open(second, [LIST, at(40)]);

  assert.deepEqual(second.frames[0].denied, [LIST]);
});

test("when all tabs are gone nothing is left open", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [LIST, at(40)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);

  first.tabs.leave();
  await quiet();
  second.tabs.leave();
  await quiet();

  assert.equal(streams.alive.length, 0);
  assert.equal(clock.waiting, 0);
});

const refuse = () => {
  throw new DOMException("nothing may be stored", "SecurityError");
};

for (const [what, how] of /** @type {[string, any][]} */ ([
  ["without BroadcastChannel", { openChannel: null }],
  ["where BroadcastChannel is refused", { openChannel: refuse }],
  ["where Web Locks are refused", { locks: { request: async () => refuse() } }],
])) {
  test(`${what} a tab has its own stream`, async () => {
    const only = tab(how);

    await open(only, [LIST, at(40)]);
    await clock.pass(20);
    streams.last.hello(at(50));

    assert.equal(streams.alive.length, 1);
    assert.equal(only.states.at(-1), "live");
  });
}

test("a tab that shares nothing has a stream only while somebody sees it", async () => {
  const only = tab({ locks: null });
  await open(only, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));

  only.hidden = true;
  only.tabs.look();
  assert.equal(streams.alive.length, 0);
  only.hidden = false;
  only.tabs.look();
  await clock.pass(250);

  assert.equal(streams.alive.length, 1);
  assert.equal(streams.last.since, String(at(50)));
  assert.equal(only.states.at(-1), "connecting");
});

test("a tab that comes back does not call itself live until it is told", async () => {
  const only = tab();
  await open(only, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));
  only.tabs.leave();

  only.tabs.join();

  assert.equal(only.states.at(-1), "connecting");
});

test("of a browser's tabs one reports: one that shows it, and that somebody sees", async () => {
  const [first, second, third] = [tab(), tab(), tab()];
  second.hidden = true;
  await open(first, [DETAIL, at(40)]);
  await open(second, [LIST, at(40)]);
  await open(third, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50), { stream: "s1" });

  const told = { keys: [["chapters", "list", 42]], cause: "x", trace: "t1", spread_ms: 0, reports: ["t1"] };
  streams.last.say("stale", told, at(51));
  await quiet();

  const asked = [first, second, third].map(({ frames }) => frames.find(({ event }) => event === "stale")?.reports);
  assert.deepEqual(asked, [undefined, [], ["t1"]]);
  assert.equal(third.frames.at(-1).stream, "s1");
});

test("a finding is told to the tabs that show its key", async () => {
  const [first, second] = [tab(), tab()];
  await open(first, [DETAIL, at(40)]);
  await open(second, [LIST, at(40)]);
  await clock.pass(20);
  streams.last.hello(at(50));

  streams.last.say("finding", { key: ["chapters", "list", 42], text: "Missed invalidation: …" });
  await quiet();

  assert.ok(!first.frames.some(({ event }) => event === "finding"));
  assert.deepEqual(second.frames.at(-1), { event: "finding", key: LIST, text: "Missed invalidation: …" });
});
