import assert from "node:assert/strict";
import { test } from "node:test";

import { Dialogs } from "../../core/static/ui/dialogs.js";
import { openPage, settled } from "./page.js";

const SHEET = `<a href="/chapters/1/add-videos" data-dialog>Add videos</a>`;
const PAGE = `<!doctype html><header>Site</header><main><h1>Add videos</h1><input id="search"></main>`;

function bound(t, html, answer) {
  const { document, MouseEvent } = openPage(t, html);
  const heard = { asked: [], toasts: [], went: [], online: true };
  const dialogs = new Dialogs({
    root: document,
    fetch: async (url, options) => {
      heard.asked.push([url, options.headers.Accept]);
      return answer();
    },
    toasts: { show: (text, how) => heard.toasts.push([text, how]) },
    online: () => heard.online,
    navigate: (url) => heard.went.push(url),
  });
  t.after(dialogs.bind());
  const click = async (selector, how = {}) => {
    const event = new MouseEvent("click", { bubbles: true, cancelable: true, ...how });
    document.querySelector(selector).dispatchEvent(event);
    await settled();
    return event;
  };
  return { document, heard, click };
}

const page = (html) =>
  new Response(html, { headers: { "Content-Type": "text/html; charset=utf-8" } });

test("a page opens in a sheet with its heading as the title, and the focus in its first field", async (t) => {
  const { document, heard, click } = bound(t, SHEET, () => page(PAGE));
  let opened = 0;
  document.addEventListener("sheet:open", () => (opened += 1));

  await click("a");

  const dialog = document.querySelector("dialog.sheet");
  assert.deepEqual(heard.asked, [["https://coursewire.test/chapters/1/add-videos", "text/html"]]);
  assert.equal(document.getElementById(dialog.getAttribute("aria-labelledby")).textContent, "Add videos");
  assert.equal(dialog.querySelector("h1, header header, main"), null);
  assert.equal(document.activeElement.id, "search");
  assert.equal(opened, 1);
});

test("a closed sheet is gone, and the focus is where a new link of the same address stands", async (t) => {
  const { document, click } = bound(t, `<div>${SHEET}</div>`, () => page(PAGE));
  await click("a");

  document.querySelector("div").innerHTML = SHEET;
  document.querySelector("dialog [aria-label^=Close]").click();

  assert.equal(document.querySelector("dialog"), null);
  assert.equal(document.activeElement, document.querySelector("a"));
});

test("a click that opens a tab is left to the browser", async (t) => {
  const { heard, click } = bound(t, SHEET, () => assert.fail());

  const event = await click("a", { metaKey: true });

  assert.equal(event.defaultPrevented, false);
  assert.deepEqual(heard.asked, []);
});

test("where something else than the page comes, the browser goes there", async (t) => {
  const redirected = Object.defineProperty(page(PAGE), "redirected", { value: true });
  const { heard, click } = bound(t, SHEET, () => redirected);

  await click("a");

  assert.deepEqual(heard.went, ["https://coursewire.test/chapters/1/add-videos"]);
});

test("an error page becomes a message", async (t) => {
  const error = '<main><div class="error-sheet"><h1>Not found</h1><p class="lede">This is gone.</p></div></main>';
  const { document, heard, click } = bound(t, SHEET, () => page(error));

  await click("a");

  assert.deepEqual(heard.toasts, [["This is gone.", { kind: "problem" }]]);
  assert.equal(document.querySelector("dialog"), null);
});

test("without the network a message says so", async (t) => {
  const { heard, click } = bound(t, SHEET, () => Promise.reject(new TypeError("Failed to fetch")));
  heard.online = false;

  await click("a");

  assert.deepEqual(heard.toasts, [
    ["You are offline. Try again when the connection is back.", { kind: "problem" }],
  ]);
});

const CONFIRM = `<form method="post"><button data-confirm="Remove “Basics”?" name="x" value="1">Remove chapter</button></form>`;

function asking(t) {
  const { document, heard, click } = bound(t, CONFIRM, () => assert.fail());
  const submitters = [];
  document.addEventListener("submit", (event) => {
    event.preventDefault();
    submitters.push(event.submitter.value);
  });
  const answer = async (index) => {
    document.querySelectorAll("dialog.confirm button")[index].click();
    await settled();
  };
  return { document, heard, click, submitters, answer };
}

test("a question is asked with the button's own verb; nothing happens before the answer", async (t) => {
  const { document, click, submitters } = asking(t);

  await click("form button");

  const dialog = document.querySelector("dialog.confirm");
  assert.deepEqual([...dialog.querySelectorAll("button")].map((b) => b.textContent), ["Cancel", "Remove chapter"]);
  assert.equal(document.getElementById(dialog.getAttribute("aria-labelledby")).textContent, "Remove “Basics”?");
  assert.equal(document.activeElement.textContent, "Cancel");
  assert.deepEqual(submitters, []);
});

test("yes submits exactly once, with that button; cancel does not", async (t) => {
  const { document, click, submitters, answer } = asking(t);

  await click("form button");
  await answer(0);
  assert.deepEqual(submitters, []);
  assert.equal(document.activeElement.textContent, "Remove chapter");
  await click("form button");
  await answer(1);

  assert.deepEqual(submitters, ["1"]);
  assert.equal(document.querySelector("dialog"), null);
});

test("what is gone while the question stands is not removed, and it says so", async (t) => {
  const { document, heard, click, submitters, answer } = asking(t);

  await click("form button");
  document.querySelector("form").remove();
  await answer(1);

  assert.deepEqual(submitters, []);
  assert.match(heard.toasts[0][0], /^This changed while you were asked/);
});
