import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Reader } from "../../core/static/live/reader.js";
import { at, Clock, settled } from "./engine.js";

/** @type {Clock} */
let clock;
/** @type {{path: string, init: any}[]} */
let asked;

beforeEach(() => {
  clock = new Clock();
  asked = [];
});

/** @param {() => Response | Promise<Response>} respond */
function reader(respond) {
  const fetch = /** @type {any} */ (
    async (/** @type {string} */ path, /** @type {any} */ init) => {
      asked.push({ path, init });
      return respond();
    }
  );
  return new Reader({ fetch, clock });
}

/** @param {number} status @param {Record<string, string>} [headers] */
const answer = (status, headers = {}, body = "") => () =>
  new Response(status === 304 ? null : body, { status, headers });

const HEADERS = { "Live-Key": "chapters:list:42", "Live-Stamp": String(at(41)), ETag: '"e1"', "Live-Access": "edit" };

test("it asks for the fragment, at the floor, if it is another than the one we have", async () => {
  await reader(answer(304)).read("/q/chapters/list/42", { floor: at(40), etag: '"e1"' });

  const { path, init } = /** @type {any} */ (asked[0]);
  assert.equal(path, "/q/chapters/list/42");
  assert.deepEqual(init.headers, { Accept: "text/html", "Live-Floor": String(at(40)), "If-None-Match": '"e1"' });
  assert.equal(init.cache, "no-store");
});

test("without a floor and an ETag it sends none", async () => {
  await reader(answer(304)).read("/q/chapters/list/42");

  assert.deepEqual(asked[0]?.init.headers, { Accept: "text/html" });
});

test("a body comes with its key, stamp, ETag and rights", async () => {
  const read = await reader(answer(200, HEADERS, "<p>new</p>")).read("/q/chapters/list/42");

  assert.deepEqual(read, {
    kind: "fresh",
    key: "chapters:list:42",
    html: "<p>new</p>",
    stamp: at(41),
    etag: '"e1"',
    access: "edit",
  });
});

test("of what it holds it makes what is new", async () => {
  const delta = JSON.stringify(["<p>new</p>", [1, 2], "", [0, 1]]);
  const held = "<p>old</p>\n<p>😀</p>\n<p>c</p>";
  const headers = { ...HEADERS, "Live-Delta": "lines" };

  const read = await reader(answer(200, headers, delta)).read("/q", { etag: '"e0"', held });

  assert.equal(asked[0]?.init.headers["Live-Delta"], "lines");
  assert.equal(/** @type {any} */ (read).html, "<p>new</p>\n<p>😀</p>\n<p>c</p>\n\n<p>old</p>");
  assert.equal(/** @type {any} */ (read).etag, '"e1"');
});

test("what holds nothing asks for the whole, and takes it where the server sends it", async () => {
  await reader(answer(200, HEADERS, "<p>new</p>")).read("/q", { etag: '"e0"' });
  const read = await reader(answer(200, HEADERS, "<p>new</p>")).read("/q", { etag: '"e0"', held: "<p>old</p>" });

  assert.equal(asked[0]?.init.headers["Live-Delta"], undefined);
  assert.equal(/** @type {any} */ (read).html, "<p>new</p>");
});

test("a delta that breaks off is a failure", async () => {
  const headers = { ...HEADERS, "Live-Delta": "lines" };

  const read = await reader(answer(200, headers, '["<p>')).read("/q", { etag: '"e0"', held: "" });

  assert.deepEqual(read, { kind: "failed", status: 0, retry_ms: 0 });
});

test("while Redis is away a body has no stamp", async () => {
  const { "Live-Stamp": _, ...headers } = HEADERS;

  const read = await reader(answer(200, headers)).read("/q/chapters/list/42");

  assert.equal(/** @type {any} */ (read).stamp, null);
});

test("an unchanged body is told with its new stamp", async () => {
  assert.deepEqual(await reader(answer(304, HEADERS)).read("/q"), { kind: "same", stamp: at(41) });
});

test("refusals are told apart", async () => {
  assert.deepEqual(await reader(answer(404)).read("/q"), { kind: "gone" });
  assert.deepEqual(await reader(answer(401)).read("/q"), { kind: "signed-out" });
  assert.deepEqual(await reader(answer(400)).read("/q", { floor: at(9) }), { kind: "bad-floor" });
  assert.deepEqual(await reader(answer(400)).read("/q"), { kind: "failed", status: 400, retry_ms: 0 });
});

test("a busy server says when to come back", async () => {
  assert.deepEqual(await reader(answer(503, { "Retry-After": "2" })).read("/q"), {
    kind: "failed",
    status: 503,
    retry_ms: 2_000,
  });
});

test("a page that something in between sent is no answer of ours", async () => {
  const read = await reader(answer(200, {}, "<h1>Accept the terms of this network</h1>")).read("/q");

  assert.equal(read.kind, "failed");
});

test("no network is an answer too", async () => {
  const read = await reader(() => Promise.reject(new TypeError("Failed to fetch"))).read("/q");

  assert.deepEqual(read, { kind: "failed", status: 0, retry_ms: 0 });
});

test("a read that hangs is given up after half a minute", async () => {
  const reading = reader(
    () => new Promise((_, reject) => asked[0]?.init.signal.addEventListener("abort", () => reject(new Error("aborted")))),
  ).read("/q");

  await settled();
  await clock.pass(30_000);

  assert.equal((await reading).kind, "failed");
});

test("an answered read leaves no timer behind", async () => {
  await reader(answer(304)).read("/q");

  assert.equal(clock.waiting, 0);
});

test("when to come back may be a date, and is never longer than five minutes", async () => {
  const at = (/** @type {number} */ ms) => new Date(clock.wall() + ms).toUTCString();
  const waits = [];
  for (const text of [at(20_000), at(-20_000), "86400", "soon", "-3"]) {
    const said = await reader(answer(503, { "Retry-After": text })).read("/q/a/b");
    waits.push(said.kind === "failed" && Math.ceil(said.retry_ms / 1000));
  }

  assert.deepEqual(waits, [20, 0, 300, 0, 0]);
});

test("it tells how long each read took, and where the server had the body from", async () => {
  const timed = { ...HEADERS, "Server-Timing": 'cache;desc="redis", read;dur=1.3' };
  const it = reader(async () => {
    await clock.pass(12);
    return answer(200, timed)();
  });
  /** @type {any[]} */
  const trips = [];
  it.trips.subscribe((trip) => void trips.push(trip));

  await it.read("/q/chapters/list/42");

  const [trip] = trips;
  assert.deepEqual({ ...trip, began: 0 }, {
    path: "/q/chapters/list/42",
    status: 200,
    source: "redis",
    server_ms: 1.3,
    began: 0,
    ms: 12,
  });
});
