import assert from "node:assert/strict";
import { test } from "node:test";

import { Picker } from "../../core/static/ui/picker.js";
import { openPage } from "./page.js";

const rows = (...ids) =>
  ids.map((id) => `<label><input type="checkbox" name="media_ids" value="${id}">${id}</label>`).join("");

function bound(t, html = rows(1, 2, 3, 4)) {
  const window = openPage(
    t,
    `<div data-picker><form method="post" action="/a/chapters/link-media"><live-region>${html}</live-region>
      <span data-picker-count>0</span><button type="button" data-picker-clear>Clear</button>
      <button id="add" data-picker-label="Add {n} video|Add {n} videos">Add chosen videos</button></form></div>`,
  );
  const { document } = window;
  const picker = new Picker({ root: document });
  t.after(picker.bind());
  const box = (id) => document.querySelector(`[type=checkbox][value="${id}"]`);
  const region = document.querySelector("live-region");
  return {
    window,
    document,
    box,
    add: document.querySelector("#add"),
    click: (id, shiftKey = false) =>
      box(id).dispatchEvent(new window.MouseEvent("click", { bubbles: true, cancelable: true, shiftKey })),
    show: (...ids) => {
      region.innerHTML = rows(...ids);
      region.dispatchEvent(new window.CustomEvent("live:updated", { bubbles: true }));
    },
    sent: () => new window.FormData(document.querySelector("form")).getAll("media_ids").sort(),
  };
}

test("the count and the button say how many are chosen", (t) => {
  const { click, document, add } = bound(t);

  click(1);
  assert.equal(add.textContent, "Add 1 video");
  click(3);

  assert.equal(add.textContent, "Add 2 videos");
  assert.equal(document.querySelector("[data-picker-count]").textContent, "2");
  assert.equal(add.hasAttribute("aria-disabled"), false);
});

test("with none chosen nothing is sent, and it says why", (t) => {
  const { document, window, add } = bound(t);

  const event = new window.Event("submit", { bubbles: true, cancelable: true });
  document.querySelector("form").dispatchEvent(event);

  assert.equal(event.defaultPrevented, true);
  assert.equal(add.getAttribute("aria-disabled"), "true");
  assert.equal(document.getElementById(add.getAttribute("aria-describedby")).textContent, "Choose at least one video.");
});

test("what is chosen stays so while other pages of the list are shown, and is sent", (t) => {
  const { click, show, sent, box, add } = bound(t);
  click(1);
  click(2);

  show(2, 8, 9);
  assert.equal(box(2).checked, true);
  click(9);
  show(7);
  assert.equal(add.textContent, "Add 3 videos");
  assert.deepEqual(sent(), ["1", "2", "9"]);
  show(1, 2);

  assert.equal(box(1).checked, true);
  assert.deepEqual(sent(), ["1", "2", "9"]);
});

test("clearing unticks all, those that are out of sight too", (t) => {
  const { click, show, sent, document, add } = bound(t);
  click(1);
  show(2);
  click(2);

  document.querySelector("[data-picker-clear]").click();

  assert.deepEqual(sent(), []);
  assert.equal(add.textContent, "Add chosen videos");
});

test("shift extends the choice from the box clicked before", (t) => {
  const { click, sent } = bound(t);
  click(4);

  click(2, true);
  assert.deepEqual(sent(), ["2", "3", "4"]);
  click(3);
  click(2, true);

  assert.deepEqual(sent(), ["4"]);
});

test("what was saved is not chosen any more", (t) => {
  const { click, sent, document, window } = bound(t);
  click(1);

  document.querySelector("form").dispatchEvent(new window.CustomEvent("form:done", { bubbles: true }));

  assert.deepEqual(sent(), []);
});
