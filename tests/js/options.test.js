import assert from "node:assert/strict";
import { test } from "node:test";

import { keyText } from "../../core/static/live/keys.js";
import { Options } from "../../core/static/ui/options.js";
import { Clock, openPage } from "./page.js";

const PAGE = `
  <form method="get" data-live-options="#library" data-history>
    <input type="search" name="search"><select name="sort" data-default="newest">
      <option value="newest">N</option><option value="title">T</option></select></form>
  <live-region id="library" key="media:list"><a data-live-option href="?search=sea&page=2">2</a></live-region>`;

function bound(t, html = PAGE) {
  const window = openPage(t, html);
  const clock = new Clock();
  const { document, location, history } = window;
  const options = new Options({ root: document, ...clock, location, history });
  t.after(options.bind());
  const region = document.querySelector("live-region");
  const type = (name, value) => {
    const field = document.querySelector(`[name=${name}]`);
    field.value = value;
    field.dispatchEvent(new window.Event("input", { bubbles: true }));
  };
  return { window, document, clock, region, type, key: () => region.getAttribute("key") };
}

const library = (options) => keyText(["media", "list", options]);

test("what is typed becomes an option of the region's key after a pause", (t) => {
  const { clock, type, key } = bound(t);

  type("search", "s");
  clock.pass(100);
  type("search", "sea ");
  clock.pass(149);
  assert.equal(key(), "media:list");
  clock.pass(1);

  assert.equal(key(), library({ search: "sea" }));
});

test("defaults are left out, so that each key has one spelling", (t) => {
  const { clock, type, key } = bound(t);

  type("sort", "title");
  clock.pass(150);
  assert.equal(key(), library({ sort: "title" }));
  type("sort", "newest");
  clock.pass(150);

  assert.equal(key(), "media:list");
});

test("a changed search starts again at the first page; an unchanged one stays where it is", (t) => {
  const { clock, type, key, region } = bound(t);
  region.setAttribute("key", library({ page: 3, search: "sea" }));

  type("search", "sea");
  clock.pass(150);
  assert.equal(key(), library({ page: 3, search: "sea" }));
  type("search", "seal");
  clock.pass(150);

  assert.equal(key(), library({ search: "seal" }));
});

test("submitting applies at once and leaves the page where it is", (t) => {
  const { document, window, type, key } = bound(t);
  type("search", "sea");

  const event = new window.Event("submit", { bubbles: true, cancelable: true });
  document.querySelector("form").dispatchEvent(event);

  assert.equal(event.defaultPrevented, true);
  assert.equal(key(), library({ search: "sea" }));
});

test("a link sets the options of its query string, with the types that they have", (t) => {
  const { document, key } = bound(t);
  const link = document.querySelector("a");

  link.click();
  assert.equal(key(), library({ search: "sea", page: 2 }));
  link.setAttribute("href", "?page=1&search=2024");
  link.click();

  assert.equal(key(), library({ search: "2024" }));
});

test("a click that opens a tab is left to the browser", (t) => {
  const { document, window, key } = bound(t);

  const event = new window.MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: true });
  event.preventDefault = () => assert.fail("taken");
  document.querySelector("a").dispatchEvent(event);

  assert.equal(key(), "media:list");
});

test("with data-history the address follows, and the rest of it stays", (t) => {
  const { clock, type, window } = bound(t);

  type("search", "a&b");
  clock.pass(150);
  assert.equal(window.location.search, "?view=list&search=a%26b");
  type("search", "");
  clock.pass(150);

  assert.equal(window.location.search, "?view=list");
  assert.equal(window.history.length, 1);
});

test("without data-history the address stays", (t) => {
  const { clock, type, window } = bound(t, PAGE.replace("data-history", ""));

  type("search", "sea");
  clock.pass(150);

  assert.equal(window.location.search, "?view=list");
});

test("the parameters of a key stay before its options", (t) => {
  const { clock, type, key, region } = bound(t);
  region.setAttribute("key", "chapters:picker:7");

  type("search", "sea");
  clock.pass(150);

  assert.equal(key(), keyText(["chapters", "picker", 7, { search: "sea" }]));
});
