import assert from "node:assert/strict";
import { test } from "node:test";

import { higher, older, Stamp } from "../../core/static/live/stamps.js";
import { at } from "./engine.js";

const OTHER = "bbbbbbbbbbbb";

test("a stamp is read and written as the server spells it", () => {
  assert.equal(String(Stamp.parse("3f2a9c01b7de-41")), "3f2a9c01b7de-41");
});

for (const text of [null, undefined, "", "41", "3f2a9c01b7de", "3F2A9C01B7DE-41", "3f2a9c01b7de-041", "3f2a9c01b7de--1"]) {
  test(`${JSON.stringify(text)} is no stamp`, () => assert.equal(Stamp.parse(text), null));
}

test("eighteen digits are not rounded", () => {
  const low = /** @type {Stamp} */ (Stamp.parse("3f2a9c01b7de-900000000000000001"));
  const high = /** @type {Stamp} */ (Stamp.parse("3f2a9c01b7de-900000000000000002"));

  assert.ok(low.isBefore(high));
  assert.ok(!low.reaches(high));
});

test("a stamp reaches its own point, earlier ones, and no floor at all", () => {
  assert.ok(at(41).reaches(at(41)));
  assert.ok(at(42).reaches(at(41)));
  assert.ok(at(41).reaches(null));
  assert.ok(!at(40).reaches(at(41)));
});

test("stamps of two generations have no order", () => {
  assert.ok(!at(99).reaches(at(1, OTHER)));
  assert.ok(!at(1).isBefore(at(99, OTHER)));
  assert.equal(older(at(1), at(99, OTHER)), null);
});

test("the older of two is what both are current at", () => {
  assert.equal(String(older(at(40), at(41))), String(at(40)));
  assert.equal(older(at(40), null), null);
});

test("the higher of two floors satisfies both; a new generation replaces the old", () => {
  assert.equal(String(higher(at(42), at(41))), String(at(42)));
  assert.equal(String(higher(null, at(41))), String(at(41)));
  assert.equal(String(higher(at(99), at(1, OTHER))), String(at(1, OTHER)));
});
