import assert from "node:assert/strict";
import { test } from "node:test";

import { keyPath, keyText, names, optionsOf } from "../../core/static/live/keys.js";

test("a key has the spelling that the server gives it", () => {
  assert.equal(keyText(["chapters", "list", 42]), "chapters:list:42");
  assert.equal(keyText(["media", "list", { page: 2 }]), "media:list:%7B%22page%22%3A2%7D");
});

test("options are sorted by name", () => {
  assert.equal(keyText(["media", "list", { sort: "title", page: 2 }]), keyText(["media", "list", { page: 2, sort: "title" }]));
});

test("what JavaScript leaves alone and Python encodes is encoded", () => {
  assert.equal(keyText(["a", "b", "it's (so)!*"]), "a:b:it%27s%20%28so%29%21%2A");
});

test("colons, slashes and other letters stay inside their segment", () => {
  assert.equal(keyText(["a", "b", "x:y/z", "žluť"]), "a:b:x%3Ay%2Fz:%C5%BElu%C5%A5");
});

test("the path carries the options as a query string, in the order that the server wants", () => {
  assert.equal(keyPath("chapters:list:42"), "/q/chapters/list/42");
  assert.equal(keyPath(keyText(["media", "list", { sort: "title", page: 2 }])), "/q/media/list?page=2&sort=title");
  assert.equal(keyPath(keyText(["a", "b", "x/y"])), "/q/a/b/x%2Fy");
});

test("options come back with their types", () => {
  assert.deepEqual(optionsOf(keyText(["media", "list", 7, { page: 2, used: true }])), { page: 2, used: true });
  assert.deepEqual(optionsOf("media:list"), {});
});

test("a text parameter that begins with a brace is no options", () => {
  assert.deepEqual(optionsOf(keyText(["a", "b", "{not json"])), {});
});

test("a key names itself and what it prefixes, whole segments only", () => {
  assert.ok(names("media:list", "media:list"));
  assert.ok(names("media:list", "media:list:%7B%22page%22%3A2%7D"));
  assert.ok(names("chapters:list:4", "chapters:list:4"));
  assert.ok(!names("chapters:list:4", "chapters:list:42"));
  assert.ok(!names("media:list:7", "media:list"));
});
