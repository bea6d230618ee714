import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Poller } from "../../core/static/live/poller.js";
import { Clock } from "./engine.js";

/** @type {Clock} */
let clock;
/** @type {string[]} */
let asked;
let isUp = true;

beforeEach(() => {
  clock = new Clock();
  asked = [];
  isUp = true;
});

const question = (/** @type {string} */ key) => async () => {
  asked.push(key);
  return isUp;
};

/** @param {number} dice */
const poller = (dice) =>
  new Poller({ ask: () => [question("a"), question("b")], clock, random: () => dice, every_ms: 10_000 });

test("each round begins after a wait of its own length", async () => {
  const early = poller(0);
  early.start();
  await clock.pass(5_000);
  assert.deepEqual(asked, ["a", "b"]);
  early.stop();

  const late = poller(1);
  late.start();
  await clock.pass(9_999);
  assert.equal(asked.length, 2);
  await clock.pass(1);
  assert.equal(asked.length, 4);
  await clock.pass(14_999);
  assert.equal(asked.length, 4);
  await clock.pass(1);

  assert.equal(asked.length, 6);
});

test("it tells of each round whether it was answered to the end, and when it began", async () => {
  const rounds = poller(1);
  /** @type {any[]} */
  const told = [];
  rounds.told.subscribe((round) => told.push(round));
  const from = clock.wall();

  rounds.start();
  await clock.pass(10_000);
  isUp = false;
  await clock.pass(15_000);

  assert.deepEqual(told, [
    { answered: true, began: from + 10_000 },
    { answered: false, began: from + 25_000 },
  ]);
});

test("a round without questions tells nothing", async () => {
  const idle = new Poller({ ask: () => [], clock, random: () => 1 });
  idle.told.subscribe(() => assert.fail("nobody asked"));

  idle.start();
  await clock.pass(60_000);
});

test("who comes to look does not wait for the next round; at rest it stays at rest", async () => {
  const rounds = poller(1);
  rounds.hasten();
  await clock.pass(60_000);
  assert.deepEqual(asked, []);

  rounds.start();
  rounds.hasten();
  await clock.pass(2_000);

  assert.deepEqual(asked, ["a", "b"]);
});

test("rounds go on until it is stopped", async () => {
  const rounds = poller(0.5);

  rounds.start();
  await clock.pass(30_000);
  rounds.stop();
  await clock.pass(30_000);

  assert.equal(asked.length, 6);
  assert.equal(clock.waiting, 0);
});

test("a server that does not answer is not asked for the rest of the round", async () => {
  isUp = false;

  poller(0.5).start();
  await clock.pass(10_000);

  assert.deepEqual(asked, ["a"]);
});

test("started twice it asks once", async () => {
  const twice = poller(0.5);

  twice.start();
  twice.start();
  await clock.pass(10_000);

  assert.deepEqual(asked, ["a", "b"]);
});
