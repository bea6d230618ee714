import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";

import { JSDOM } from "jsdom";

import { Store } from "../../core/static/live/store.js";
import { at, Clock, fresh, Reads, settled } from "./engine.js";

const KEY = "chapters:list:42";
const { window } = new JSDOM("<!doctype html><body></body>");
const elements = Object.getOwnPropertyNames(window).filter((name) => /^(HTML|SVG)\w*Element$/.test(name));
for (const name of [...elements, "document", "customElements", "CustomEvent", "MutationObserver", "Element", "Node", "CharacterData", "Event"]) {
  globalThis[name] = window[name];
}
const { LiveRegion } = await import("../../core/static/live/region.js");
customElements.define("live-region", LiveRegion);
after(() => window.close());

/** @type {Clock} */
let clock;
/** @type {Reads} */
let reads;
/** @type {Store} */
let store;
/** @type {{type: string, detail: any}[]} */
let events;

const hear = (/** @type {any} */ { type, detail }) => events.push({ type, detail });

beforeEach(() => {
  clock = new Clock();
  reads = new Reads();
  store = new Store({ reader: reads, clock, random: () => 0.5, backoff: () => 1_000 });
  LiveRegion.wiring = { store, clock };
  events = [];
  for (const type of ["live:updated", "live:error"]) document.addEventListener(type, hear);
});

afterEach(() => {
  document.body.replaceChildren();
  for (const type of ["live:updated", "live:error"]) document.removeEventListener(type, hear);
});

/** @param {string} [attributes] */
function region(attributes = `key="${KEY}" stamp="${at(40)}" data-access="view"`, html = "<p>old</p>") {
  document.body.insertAdjacentHTML("beforeend", `<live-region ${attributes}>${html}</live-region>`);
  return /** @type {HTMLElement} */ (document.body.lastElementChild);
}

test("it watches its key from its stamp on while it is on the page", () => {
  const it = region();
  assert.deepEqual(store.keys, [[KEY, at(40)]]);

  it.remove();

  assert.deepEqual(store.keys, []);
});

test("it shows what is new, with the new stamp and rights", async () => {
  const it = region();

  store.invalidate([KEY], { stamp: at(41), cause: "media-linked", trace: "t1" });
  await clock.pass(30);
  await reads.answer(fresh(at(41), "<p>new</p>"));

  assert.equal(it.textContent, "new");
  assert.equal(it.getAttribute("stamp"), String(at(41)));
  assert.equal(it.dataset["access"], "edit");
  const { changes, ...detail } = events[0]?.detail;
  assert.deepEqual(detail, { key: KEY, stamp: String(at(41)), cause: "media-linked", trace: "t1", ms: 30, own: false });
  assert.ok(changes);
});

test("it says that it is busy only when the wait can be felt", async () => {
  const it = region();
  store.invalidate([KEY], { stamp: at(41) });

  await clock.pass(199);
  assert.ok(!it.hasAttribute("aria-busy"));
  await clock.pass(1);
  assert.equal(it.getAttribute("aria-busy"), "true");
  await reads.answer(fresh(at(41)));

  assert.ok(!it.hasAttribute("aria-busy"));
});

test("it can be kept as it is", async () => {
  const it = region();
  it.addEventListener("live:before-update", (event) => event.preventDefault());

  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer(fresh(at(41), "<p>new</p>"));

  assert.equal(it.textContent, "old");
  assert.deepEqual(events, []);
});

test("another key shows that key, and is watched instead", async () => {
  const it = region(`key="media:list" stamp="${at(40)}"`);

  it.setAttribute("key", "media:list:%7B%22page%22%3A2%7D");
  assert.deepEqual(store.keys, []);
  await reads.answer(fresh(at(41), "<p>page 2</p>", "media:list:%7B%22page%22%3A2%7D"));

  assert.equal(it.textContent, "page 2");
  assert.deepEqual(store.keys, [["media:list:%7B%22page%22%3A2%7D", at(41)]]);
  assert.equal(events[0]?.detail.own, true, "who asked for it needs no telling");
});

test("the server's spelling of the key wins", async () => {
  const it = region(`key="media:list" stamp="${at(40)}"`);

  it.setAttribute("key", "media:list:%7B%22page%22%3A%222%22%7D");
  await reads.answer(fresh(at(41), "<p>page 2</p>", "media:list:%7B%22page%22%3A2%7D"));
  store.invalidate(["media:list"], { stamp: at(42) });

  assert.equal(it.getAttribute("key"), "media:list:%7B%22page%22%3A2%7D");
  assert.equal(reads.open.length, 1);
  await reads.answer(fresh(at(42), "<p>page two</p>", "media:list:%7B%22page%22%3A2%7D"));
  assert.equal(it.textContent, "page two");
});

test("of two searches the answer to the first is not shown, even when it is the later one", async () => {
  const it = region(`key="media:list" stamp="${at(40)}"`);
  it.setAttribute("key", "media:list:a");
  it.setAttribute("key", "media:list:ab");

  const [first, second] = reads.open.splice(0);
  second?.resolve(fresh(at(41), "<p>ab</p>", "media:list:ab"));
  await settled();
  first?.resolve(fresh(at(41), "<p>a</p>", "media:list:a"));
  await settled();

  assert.equal(it.textContent, "ab");
});

test("going back to a key after another one asks for it anew", async () => {
  const it = region(`key="media:list" stamp="${at(40)}"`);
  it.setAttribute("key", "media:list:a");
  await reads.answer(fresh(at(41), "<p>a</p>", "media:list:a"));

  it.setAttribute("key", "media:list");
  await reads.answer(fresh(at(41), "<p>all</p>", "media:list"));

  assert.equal(it.textContent, "all");
});

test("a region that was rendered later is never taken back by an earlier one's read", async () => {
  region();
  store.invalidate([KEY], { stamp: at(41) });
  const later = region(`key="${KEY}" stamp="${at(45)}"`, "<p>of 45</p>");

  await reads.answer(fresh(at(41), "<p>of 41</p>"));
  assert.equal(later.textContent, "of 45");
  await reads.answer(fresh(at(45), "<p>of 45, read</p>"));

  assert.equal(later.textContent, "of 45, read");
});

test("what is gone is taken off the page", async () => {
  const it = region();

  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer({ kind: "gone" });

  assert.equal(it.querySelector("[role=status]")?.textContent?.includes("removed, or you may no longer see it"), true);
  assert.ok(!it.textContent?.includes("old"));
  assert.equal(it.dataset["state"], "gone");
});

test("what goes where changes are not shown goes without a word", async () => {
  const it = region();
  const quiet = document.createElement("div");
  quiet.setAttribute("data-live-quiet", "");
  it.replaceWith(quiet);
  quiet.append(it);

  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer({ kind: "gone" });

  assert.equal(it.childNodes.length, 0);
  assert.equal(it.dataset["state"], "gone");
});

test("what somebody typed into what is gone is left to them, however often they are told", async () => {
  const field = '<p>old</p><form><label for="g">Title</label><input id="g" value="a"></form>';
  const it = region(undefined, field);
  const input = /** @type {HTMLInputElement} */ (it.querySelector("#g"));
  input.value = "half typed";

  for (const sequence of [41, 42]) {
    store.invalidate([KEY], { stamp: at(sequence) });
    await reads.answer({ kind: "gone" });
  }

  assert.deepEqual([...it.querySelectorAll("input")].map(({ value }) => value), ["half typed"]);
  assert.equal(it.querySelectorAll("[role=status]").length, 1);
  assert.match(it.textContent ?? "", /removed, or you may no longer see it\..*Title$/);
});

test("what comes back is shown again", async () => {
  const it = region();
  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer({ kind: "gone" });

  store.invalidate([KEY], { stamp: null });
  await reads.answer(fresh(at(42), "<p>back</p>"));

  assert.equal(it.textContent, "back");
  assert.equal(it.dataset["state"], undefined);
});

test("with the session goes what is shown, but for what somebody typed", async () => {
  const form = '<form><h2>Secret</h2><input type="hidden" name="was.title" value="a">';
  const fields = '<label for="f">Title</label><input id="f" value="a"><input id="g" value="b"></form>';
  const it = region(undefined, `<p>old</p>${form}${fields}`);
  const other = region(`key="courses:detail:1" stamp="${at(40)}"`, "<p>a course</p>");
  const field = /** @type {HTMLInputElement} */ (it.querySelector("#f"));
  field.value = "mine";
  store.invalidate([KEY], { stamp: at(41) });

  await reads.answer({ kind: "signed-out" });

  const said = "You are signed out, so this is no longer shown.";
  assert.equal(it.textContent, `${said}Title`);
  assert.equal(other.textContent, said);
  assert.deepEqual([...it.querySelectorAll("input")].map((input) => input.value), ["a", "mine"]);
  assert.deepEqual([it.dataset["state"], it.hasAttribute("stamp")], ["signed-out", false]);
  store.invalidate([KEY], { stamp: null });
  await reads.answer(fresh(at(42), `<p>new</p>${form}${fields}`));
  assert.equal(it.textContent, "newSecretTitle");
  assert.equal(it.querySelector("input:not([type=hidden])"), field);
  assert.equal(field.value, "mine");
});

test("a failure leaves the content, and quotes the opening tag", async () => {
  const it = region();

  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer({ kind: "failed", status: 503, retry_ms: 0 });

  assert.equal(it.textContent, "old");
  assert.equal(events[0]?.type, "live:error");
  assert.match(events[0]?.detail.error.message, /^<live-region key="chapters:list:42" .*>: the server answered 503$/);
});

test("while something in it is dragged it waits, and then shows the newest", async () => {
  const it = region(undefined, '<p data-dragging="">old</p>');
  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer(fresh(at(41), "<p>newer</p>"));
  store.invalidate([KEY], { stamp: at(42) });
  await reads.answer(fresh(at(42), "<p>newest</p>"));
  assert.equal(it.textContent, "old");

  it.querySelector("p")?.removeAttribute("data-dragging");
  await settled();

  assert.equal(it.textContent, "newest");
  assert.equal(it.getAttribute("stamp"), String(at(42)));
});

test("taken off the page and put back in one go it shows what it showed, and reads nothing", () => {
  const it = region();

  document.body.prepend(it);

  assert.deepEqual(store.keys, [[KEY, at(40)]]);
  assert.equal(reads.asked.length, 0);
});

/** A fragment so long that it is worth telling of it only what is new. @param {Record<number, string>} [named] */
const long = (named = {}) =>
  Array.from({ length: 500 }, (_, n) => `<p data-key="p${n}">${named[n] ?? `Paragraph ${n}`}${" ".repeat(100)}</p>`).join("\n");

const TAGGED = `key="${KEY}" stamp="${at(40)}" data-access="edit" tag="e40"`;

test("a long one learns the html that the page shows, and shows nothing new", async () => {
  const it = region(TAGGED, long());
  const first = it.firstElementChild;

  await clock.pass(999);
  assert.deepEqual(reads.asked, []);
  await clock.pass(1);
  assert.deepEqual(reads.asked, [{ path: "/q/chapters/list/42", floor: String(at(40)), etag: null }]);
  await reads.answer({ ...fresh(at(41), long()), etag: '"e40"' });

  assert.deepEqual(events, []);
  assert.equal(it.getAttribute("stamp"), String(at(41)));
  assert.equal(it.firstElementChild, first);
  store.invalidate([KEY], { stamp: at(42) });
  assert.equal(reads.asked[1]?.etag, '"e40"');
  await reads.answer(fresh(at(42), long({ 7: "New" })));
  assert.equal(it.querySelector('[data-key="p7"]')?.textContent?.trim(), "New");
  assert.equal(it.firstElementChild, first);
  assert.ok(!it.hasAttribute("tag"));
});

test("what was touched before it had learned is made right by the next change", async () => {
  const it = region(TAGGED, long());
  /** @type {Element} */ (it.querySelector('[data-key="p3"]')).textContent = "Touched";
  it.querySelector('[data-key="p5"]')?.remove();
  await clock.pass(1000);
  await reads.answer({ ...fresh(at(40), long()), etag: '"e40"' });

  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer(fresh(at(41), long({ 7: "New" })));

  assert.equal(it.innerHTML, long({ 7: "New" }));
});

test("what changed before it had learned is shown, and learned with that", async () => {
  const it = region(TAGGED, long());
  await clock.pass(500);
  store.invalidate([KEY], { stamp: at(41) });
  await reads.answer(fresh(at(41), long({ 7: "New" })));
  await clock.pass(1000);

  assert.equal(it.innerHTML, long({ 7: "New" }));
  assert.equal(reads.asked.length, 1);
  assert.ok(!it.hasAttribute("tag"));
});

test("one that has left the page learns nothing", async () => {
  region(TAGGED, long()).remove();

  await clock.pass(5000);

  assert.deepEqual(reads.asked, []);
});
