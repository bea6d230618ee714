import assert from "node:assert/strict";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { inLanguageOf } from "../../core/static/live/language.js";

/** @param {string} lang */
function asked(lang) {
  /** @type {[unknown, any][]} */
  const calls = [];
  const page = new JSDOM(`<html lang="${lang}">`, { url: "https://courses.example/a" }).window.document;
  const fetch = /** @type {any} */ ((/** @type {unknown} */ input, /** @type {unknown} */ init) => calls.push([input, init]));
  return { calls, fetch: inLanguageOf(page, fetch) };
}

test("what a page asks of its own site says which language it is in", () => {
  const { calls, fetch } = asked("de");

  void fetch("/q/chapters/list/1", { method: "POST", headers: { Accept: "text/html" } });
  void fetch("https://courses.example/b");

  const [first, second] = calls.map(([, init]) => init.headers);
  assert.equal(first.get("Live-Language"), "de");
  assert.equal(first.get("Accept"), "text/html");
  assert.equal(calls[0]?.[1].method, "POST");
  assert.equal(second.get("Live-Language"), "de");
});

test("another site, or a page without a language, is told nothing", () => {
  const { calls, fetch } = asked("de");
  const init = { method: "PUT" };
  void fetch("https://files.example/part", init);
  assert.equal(calls[0]?.[1], init);

  const silent = asked("");
  void silent.fetch("/q/a");
  assert.deepEqual(silent.calls[0]?.[1], {});
});
