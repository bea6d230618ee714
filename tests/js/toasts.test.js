import assert from "node:assert/strict";
import { test } from "node:test";

import { Toasts } from "../../core/static/ui/toasts.js";
import { Clock, openPage } from "./page.js";

function bound(t) {
  const { document } = openPage(t, '<button id="before">Before</button><div id="toasts"></div>');
  const kept = new Map();
  const storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => kept.set(name, text),
    removeItem: (name) => kept.delete(name),
  };
  const clock = new Clock();
  const element = document.querySelector("#toasts");
  const toasts = new Toasts({ element, ...clock, storage });
  t.after(toasts.bind());
  const texts = () => [...element.querySelectorAll(".toast > span")].map((span) => span.textContent);
  return { document, element, toasts, clock, texts };
}

test("a message stays six seconds", (t) => {
  const { toasts, clock, texts } = bound(t);

  toasts.show("Saved.");
  clock.pass(5999);
  assert.deepEqual(texts(), ["Saved."]);
  clock.pass(1);

  assert.deepEqual(texts(), []);
});

test("it is a status that the announcer alone speaks; a problem speaks for itself", (t) => {
  const { toasts, element } = bound(t);

  toasts.show("Saved.");
  toasts.show("Gone.", { kind: "problem" });

  const [saved, gone] = element.children;
  assert.deepEqual([saved.getAttribute("role"), saved.getAttribute("aria-live")], ["status", "off"]);
  assert.equal(gone.getAttribute("role"), "alert");
  assert.ok(gone.classList.contains("toast-bad"));
});

test("of four, the three newest stay", (t) => {
  const { toasts, texts } = bound(t);

  for (const text of ["1", "2", "3", "4"]) toasts.show(text);

  assert.deepEqual(texts(), ["2", "3", "4"]);
});

test("while the keyboard is in a message, none goes", (t) => {
  const { document, element, toasts, clock, texts } = bound(t);
  toasts.show("One.");
  toasts.show("Two.");

  element.querySelector("button").focus();
  clock.pass(60_000);
  assert.deepEqual(texts(), ["One.", "Two."]);
  document.querySelector("#before").focus();
  clock.pass(6000);

  assert.deepEqual(texts(), []);
});

test("while the pointer is on a message, none goes", (t) => {
  const { element, toasts, clock, texts } = bound(t);
  toasts.show("One.");

  element.firstElementChild.dispatchEvent(new MouseEvent("mouseenter"));
  clock.pass(60_000);
  assert.deepEqual(texts(), ["One."]);
  element.firstElementChild.dispatchEvent(new MouseEvent("mouseleave"));
  clock.pass(6000);

  assert.deepEqual(texts(), []);
});

test("Escape dismisses the newest", (t) => {
  const { document, toasts, texts } = bound(t);
  toasts.show("One.");
  toasts.show("Two.");

  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));

  assert.deepEqual(texts(), ["One."]);
});

test("dismissed by the keyboard, the focus goes back to where it came from", (t) => {
  const { document, element, toasts, texts } = bound(t);
  const before = document.querySelector("#before");
  before.focus();
  toasts.show("One.");

  element.querySelector("button").focus();
  element.querySelector("button").click();

  assert.deepEqual(texts(), []);
  assert.equal(document.activeElement, before);
});

test("an action runs once and takes its message away", (t) => {
  const { element, toasts, texts } = bound(t);
  let times = 0;
  toasts.show("Unlinked.", { action: { label: "Undo", run: () => (times += 1) } });

  const [undo] = element.querySelectorAll("button");
  assert.equal(undo.textContent, "Undo");
  undo.click();
  undo.click();

  assert.equal(times, 1);
  assert.deepEqual(texts(), []);
});

test("a message left for the next page is shown there once", (t) => {
  const { toasts, texts } = bound(t);

  toasts.leave("The course was removed.");
  assert.equal(toasts.showLeft(), "The course was removed.");
  assert.equal(toasts.showLeft(), null);

  assert.deepEqual(texts(), ["The course was removed."]);
});

test("in the top layer it still goes with Escape, also from a button of its own", (t) => {
  const { element, toasts, texts, document } = bound(t);
  element.setAttribute("popover", "manual");
  toasts.show("Saved.");
  const button = element.querySelector("button");

  button.dispatchEvent(new document.defaultView.KeyboardEvent("keydown", { key: "Escape", bubbles: true }));

  assert.deepEqual(texts(), []);
});
