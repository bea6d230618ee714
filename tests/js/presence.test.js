import assert from "node:assert/strict";
import { test } from "node:test";

import { marks } from "../../core/static/presence/marks.js";
import { Presence } from "../../core/static/presence/presence.js";
import { Clock, settled } from "./engine.js";
import { openPage } from "./page.js";

const PAGE = `
  <header class="site-header"><button id="account">Account</button></header>
  <ol>
    <li class="chapter" id="chapter-4"><input id="four"></li>
    <li class="chapter" id="chapter-7"><input id="seven"></li>
  </ol>
  <p id="elsewhere" tabindex="-1">Elsewhere</p>`;

/**
 * @param {import("node:test").TestContext} t
 * @param {(said: any) => Promise<boolean>} [answer]
 */
function openCourse(t, answer = async () => true) {
  const window = openPage(t, PAGE);
  const { document } = window;
  const clock = new Clock();
  /** @type {(number | null | undefined | "left")[]} */
  const said = [];
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  new Presence({
    course_id: 42,
    tab: "tab",
    say: (one) => (said.push(one.chapter_id), answer(one)),
    leave: (one) => said.push(one.leaves ? "left" : one.chapter_id),
    clock,
    random: () => 0,
    document: /** @type {any} */ (document),
    window: /** @type {any} */ (window),
  }).start();
  return {
    clock,
    said,
    press: (/** @type {string} */ id) =>
      document.getElementById(id)?.dispatchEvent(new window.Event("pointerdown", { bubbles: true })),
    hide(/** @type {boolean} */ yes) {
      hidden = yes;
      document.dispatchEvent(new window.Event("visibilitychange"));
    },
    leave: () => window.dispatchEvent(new window.Event("pagehide")),
  };
}

test("a page says at once that it is open, and again before it is forgotten", async (t) => {
  const { clock, said } = openCourse(t);
  assert.deepEqual(said, [null]);

  for (let times = 0; times < 3; times += 1) {
    await clock.pass(15_000);
  }

  assert.deepEqual(said, [null, null, null, null]);
});

test("where somebody works is said once they stay there", async (t) => {
  const { clock, said, press } = openCourse(t);
  await settled();

  press("four");
  await clock.pass(500);
  press("seven");
  await clock.pass(500);
  assert.deepEqual(said, [null]);
  await clock.pass(500);

  assert.deepEqual(said, [null, 7]);
});

test("what floats over the page is no other place, and the rest of the page is none", async (t) => {
  const { clock, said, press } = openCourse(t);
  press("four");
  await clock.pass(1000);

  press("account");
  await clock.pass(1000);
  assert.deepEqual(said, [null, 4]);
  press("elsewhere");
  await clock.pass(1000);

  assert.deepEqual(said, [null, 4, null]);
});

test("who leaves the keyboard works in no chapter after two minutes", async (t) => {
  const { clock, said, press } = openCourse(t);
  press("four");

  for (let times = 0; times < 12; times += 1) {
    await clock.pass(12_000);
  }

  assert.equal(said[1], 4);
  assert.equal(said.at(-1), null);
});

test("a tab in the background says nothing, and says it again once it is looked at", async (t) => {
  const { clock, said, hide } = openCourse(t);
  await settled();

  hide(true);
  await clock.pass(60_000);
  assert.deepEqual(said, [null]);
  hide(false);

  assert.deepEqual(said, [null, null]);
});

test("a page that goes away says so, and nothing after that", async (t) => {
  const { clock, said, leave } = openCourse(t);
  await settled();

  leave();
  await clock.pass(60_000);

  assert.deepEqual(said, [null, "left"]);
});

test("it ends where nobody may be told any more", async (t) => {
  const { clock, said } = openCourse(t, async () => false);
  await settled();

  await clock.pass(60_000);

  assert.deepEqual(said, [null]);
});

const people = (/** @type {string} */ ...rows) => `<ul id="team">${rows.join("")}</ul>`;
const person = (/** @type {string} */ id, /** @type {string} */ name, chapters = "") =>
  `<li class="person" data-person="${id}" data-name="${name}" data-chapters="${chapters}"></li>`;

/** @param {import("node:test").TestContext} t @param {string} html @param {string} me */
function rulesOf(t, html, me) {
  const region = openPage(t, html).document.getElementById("team");
  return marks(/** @type {any} */ (region), me).split("\n");
}

test("the chapters of others are marked with their names, and oneself is hidden", (t) => {
  const html = people(person("1", "Olive", "4"), person("2", "Edgar", "4 7"), person("9", "Grace", "7"));

  const [own, ...rules] = rulesOf(t, html, "1");

  assert.equal(own, '.person[data-person="1"] { display: none }');
  assert.equal(rules.length, 2);
  assert.match(rules[0] ?? "", /^#chapter-4 \{ --there: "Edgar"; --tint: var\(--tint-2\)/);
  assert.match(rules[1] ?? "", /^#chapter-7 \{ --there: "Edgar, Grace"; --tint: var\(--tint-2\)/);
});

test("no name and no chapter gets out of its rule", (t) => {
  const html = people(person("2", "&quot;} * { display: none } \\&quot;\n", "4 } 7{"));

  const [, ...rules] = rulesOf(t, html, "1");

  assert.equal(rules.length, 1, "only what is a number is a chapter");
  assert.match(rules[0] ?? "", /^#chapter-4 \{ --there: "[^"\n]*"; --tint: /);
  assert.doesNotMatch(rules[0] ?? "", /\* \{/);
});
