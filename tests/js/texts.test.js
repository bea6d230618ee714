import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { JSDOM } from "jsdom";
import { _, formOf, language, ngettext, number, speak } from "../../core/static/live/texts.js";

const before = globalThis.document;

/** @param {string} lang @param {import("../../core/static/live/texts.js").Texts} [texts] */
function inLanguage(lang, texts = {}) {
  globalThis.document = new JSDOM(`<html lang="${lang}">`).window.document;
  speak(texts);
}

afterEach(() => {
  globalThis.document = before;
  speak({});
});

test("without a catalogue everything is English", () => {
  assert.equal(language(), "en");
  assert.equal(_("Undo"), "Undo");
  assert.equal(_("“{name}” is in the library.", { name: "a" }), "“a” is in the library.");
  assert.equal(ngettext("{num} video", "{num} videos", 1), "1 video");
  assert.equal(ngettext("{num} video", "{num} videos", 0), "0 videos");
});

test("a catalogue says it in the language of the page; what it lacks stays English", () => {
  inLanguage("de", { Undo: "Rückgängig", "{num} video": ["{num} Video", "{num} Videos"] });

  assert.equal(_("Undo"), "Rückgängig");
  assert.equal(_("Cancel"), "Cancel");
  assert.equal(ngettext("{num} video", "{num} videos", 1), "1 Video");
  assert.equal(ngettext("{num} video", "{num} videos", 12_000), "12.000 Videos");
  assert.equal(number(1.5), "1,5");
});

test("a value is put in as it is, also one that looks like a place for another", () => {
  assert.equal(_("{a} and {b}", { a: "{b}", b: "$&" }), "{b} and $&");
  assert.equal(_("{a} and {b}", { a: 1 }), "1 and {b}");
});

test("the forms of a language with many are told apart as its catalogues do", () => {
  const cases = /** @type {[string, number, [number, number][]][]} */ ([
    ["pl", 3, [[1, 0], [2, 1], [22, 1], [5, 2], [12, 2]]],
    ["ar", 6, [[0, 0], [1, 1], [2, 2], [3, 3], [11, 4], [100, 5]]],
    ["fr", 2, [[0, 0], [1, 0], [2, 1], [1_000_000, 1]]],
    ["ja", 1, [[1, 0], [2, 0]]],
  ]);
  for (const [lang, count, forms] of cases) {
    inLanguage(lang);
    for (const [num, form] of forms) assert.equal(formOf(num, count), form, `${lang} ${num}`);
  }
});
