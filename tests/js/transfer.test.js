import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { test } from "node:test";

import { Refused } from "../../core/static/library/endpoint.js";
import { fingerprint } from "../../core/static/library/fingerprint.js";
import { looksLikeMedia } from "../../core/static/library/sniff.js";
import { Speed } from "../../core/static/library/speed.js";
import { Transfer } from "../../core/static/library/transfer.js";
import { filesize, timeLeft } from "../../core/static/library/words.js";
import { settled } from "./page.js";

const PART = 10;
const CONTENT = new Uint8Array([0x1a, 0x45, 0xdf, 0xa3, ...Array.from({ length: 41 }, (_, n) => n)]);

const SEEN = { duration_s: 4, width: 640, height: 360, poster: new Blob(["p"], { type: "image/webp" }) };

function aFile(content = CONTENT) {
  return new File([content], "a film.webm", { lastModified: 1_700_000_000_000 });
}

/** A server that keeps parts; what is in `faults` happens instead, once each. */
class Server {
  faults = [];
  parts = new Map();
  asked = [];
  posters = [];
  state_ = "receiving";
  /** What is asked to begin is answered when this is kept. */
  answering = Promise.resolve();
  ticket = { upload_id: "u1", media_file_id: 7, part_bytes: PART, resumed: false, same_as: [] };

  async start(file) {
    this.asked.push(["start", file]);
    await this.answering;
    return file.again ? { ...this.ticket, upload_id: "u1" } : this.ticket;
  }
  async send(id, number, part, progress) {
    this.asked.push(["send", number]);
    await settled();
    const fault = this.faults.shift();
    if (fault === "lost answer") this.parts.set(number, await part.arrayBuffer());
    if (fault) throw fault === "lost answer" ? new Refused(0, "gone") : fault;
    progress(part.size);
    this.parts.set(number, await part.arrayBuffer());
  }
  async sendPoster(id, poster) {
    this.posters.push([id, poster]);
  }
  async state() {
    this.asked.push(["state"]);
    const fault = this.faults.shift();
    if (fault) throw fault;
    return { state: this.state_, problem: null, part_bytes: PART, received: [...this.parts.keys()] };
  }
  async complete() {
    this.asked.push(["complete"]);
    const fault = this.faults.shift();
    this.state_ = "done";
    if (fault) throw fault;
    return { state: "done", problem: null, media: { media_file_id: 7, title: "a film" }, same_as: [] };
  }
  async cancel(id) {
    this.asked.push(["cancel", id]);
  }
  get bytes() {
    return Buffer.concat([...this.parts].sort(([a], [b]) => a - b).map(([, data]) => Buffer.from(data)));
  }
}

/** Resolves when it holds; a test that waits for ever is ended by its runner. */
async function until(holds) {
  while (!holds()) await settled();
}

function sending(server, choices) {
  const outside = { endpoint: server, subtle: webcrypto.subtle, look: async () => SEEN, now: () => 0, setTimeout: (run) => setImmediate(run), backoff: () => 1 };
  const transfer = new Transfer(aFile(), outside, choices);
  const words = [];
  transfer.changed.subscribe(({ word }) => words.at(-1) === word || words.push(word));
  return { transfer, words };
}

test("a file goes in parts, each once, and is completed", async () => {
  const server = new Server();
  const { transfer, words } = sending(server, { title: "A film" });

  await transfer.run();

  assert.deepEqual(words, ["sending", "checking", "done"]);
  assert.deepEqual([...server.bytes], [...CONTENT]);
  assert.equal(server.asked[0][1].title, "A film");
  assert.equal(server.asked.filter(([what]) => what === "send").length, 5);
  assert.equal(transfer.sent, CONTENT.length);
});

test("after a lost answer it asks what has arrived, and sends only the rest", async () => {
  const server = new Server();
  server.faults = ["lost answer"];
  const { transfer, words } = sending(server);

  await transfer.run();

  assert.deepEqual(words, ["sending", "offline", "sending", "checking", "done"]);
  assert.deepEqual([...server.bytes], [...CONTENT]);
  const sent = server.asked.filter(([what]) => what === "send").map(([, number]) => number);
  assert.equal(sent.filter((number) => number === sent[0]).length, 1);
});

test("a server that is away for long is no failure", async () => {
  const server = new Server();
  server.faults = Array.from({ length: 40 }, () => new Refused(503, "Being restarted."));
  const { transfer, words } = sending(server);

  await transfer.run();

  assert.ok(!words.includes("failed"));
  assert.equal(words.at(-1), "done");
});

test("a completion whose answer was lost is asked again, and is done", async () => {
  const server = new Server();
  server.faults = [null, null, null, null, null, new Refused(0, "timeout")];
  const { transfer, words } = sending(server);

  await transfer.run();

  assert.equal(words.at(-1), "done");
  assert.ok(!words.includes("failed"));
  assert.deepEqual(server.asked.slice(-3).map(([what]) => what), ["complete", "state", "complete"]);
});

test("what was interrupted goes on where it was", async () => {
  const server = new Server();
  server.ticket = { ...server.ticket, resumed: true };
  for (const number of [0, 3]) server.parts.set(number, CONTENT.slice(number * PART, (number + 1) * PART).buffer);
  const { transfer } = sending(server);

  await transfer.run();

  assert.equal(transfer.resumedAt, 20);
  assert.deepEqual(server.asked.filter(([what]) => what === "send").map(([, number]) => number).sort(), [1, 2, 4]);
  assert.deepEqual([...server.bytes], [...CONTENT]);
});

test("it can be paused, and goes on", async () => {
  const server = new Server();
  const { transfer, words } = sending(server);
  const running = transfer.run();
  await settled();
  transfer.pause();
  await running;
  assert.equal(words.at(-1), "paused");
  assert.equal(transfer.busy, false);

  await transfer.run();

  assert.equal(transfer.word, "done");
  assert.deepEqual([...server.bytes], [...CONTENT]);
});

test("what is refused for good is said in the server's words; trying again begins anew", async () => {
  const server = new Server();
  server.faults = [new Refused(404, "This upload is not known any more.")];
  const { transfer } = sending(server);

  await transfer.run();
  assert.deepEqual([transfer.word, transfer.problem], ["failed", "This upload is not known any more."]);
  server.faults = [];
  await transfer.run();

  assert.equal(transfer.word, "done");
  assert.equal(server.asked.filter(([what]) => what === "start").length, 2);
});

test("a file that the library has is sent only when somebody says so", async () => {
  const server = new Server();
  const twin = { media_file_id: 3, title: "The same", use_count: 0 };
  server.ticket = { ...server.ticket, upload_id: null, same_as: [twin] };
  const { transfer } = sending(server);

  await transfer.run();
  assert.deepEqual([transfer.word, transfer.same], ["known", [twin]]);
  assert.equal(server.asked.length, 1);
  await transfer.sendAnyway();

  assert.equal(transfer.word, "done");
});

test("a cancelled one stays cancelled, and the server forgets it", async () => {
  const server = new Server();
  const { transfer, words } = sending(server);
  const running = transfer.run();
  await until(() => server.asked.some(([what]) => what === "send"));

  await transfer.cancel();
  await running;

  assert.equal(words.at(-1), "cancelled");
  assert.deepEqual(server.asked.at(-1), ["cancel", "u1"]);
  assert.equal(transfer.over, true);
});

test("one that is cancelled before the server has answered is withdrawn, and nothing is sent", async () => {
  const server = new Server();
  let answer = () => {};
  server.answering = new Promise((resolve) => (answer = resolve));
  const { transfer, words } = sending(server);
  const running = transfer.run();
  await until(() => server.asked.length === 1);

  await transfer.cancel();
  answer();
  await running;

  assert.equal(words.at(-1), "cancelled");
  assert.deepEqual(server.asked.map(([what]) => what), ["start", "cancel"]);
});

test("what is no media is not sent at all", async () => {
  const server = new Server();
  const outside = { endpoint: server, subtle: undefined, look: async () => SEEN, now: () => 0, setTimeout, backoff: () => 1 };
  const transfer = new Transfer(new File(["<html>"], "film.mp4"), outside);

  await transfer.run();

  assert.equal(transfer.word, "refused");
  assert.deepEqual(server.asked, []);
});

test("a fingerprint is that of the size and of both ends", async () => {
  const content = new Uint8Array(200_000).map((_, n) => n % 251);
  const expected = createHash("sha256").update("200000").update(content.slice(0, 65_536)).update(content.slice(-65_536));

  assert.equal(await fingerprint(new Blob([content]), webcrypto.subtle), expected.digest("hex"));
  assert.equal(await fingerprint(new Blob([content]), undefined), "");
});

test("files are known by their first bytes", async () => {
  const is = (...bytes) => looksLikeMedia(new Blob([new Uint8Array(bytes)]));
  const text = (words) => [...words].map((letter) => letter.charCodeAt(0));

  assert.equal(await is(0, 0, 0, 28, ...text("ftypisom")), true);
  assert.equal(await is(0, 0, 0, 28, ...text("ftypavif")), false);
  assert.equal(await is(0x1a, 0x45, 0xdf, 0xa3), true);
  assert.equal(await is(...text("ID3"), 4, 0), true);
  assert.equal(await is(0xff, 0xfb, 0x90, 0), true);
  assert.equal(await is(...text("#EXTM3U")), false);
  assert.equal(await is(), false);
});

test("speed is that of the last seconds, and a pause is nobody's", () => {
  let at = 0;
  const speed = new Speed(() => at);
  assert.equal(speed.perSecond, null);
  speed.mark(0);
  at = 1_000;
  speed.mark(5_000);
  assert.equal(speed.perSecond, 5_000);

  speed.reset();
  at = 60_000;
  speed.mark(5_000);

  assert.equal(speed.perSecond, null);
});

test("amounts are told in words", () => {
  assert.deepEqual([filesize(999), filesize(33_000), filesize(2_621_440)], ["999 byte", "33 kB", "2.6 MB"]);
  assert.deepEqual([3, 42, 61, 7_300].map(timeLeft), ["a few seconds left", "45 s left", "about 2 min left", "about 3 h left"]);
});
