import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { JSDOM } from "jsdom";

import { SignInNotice } from "../../core/static/live/sign_in_notice.js";
import { Pause } from "../../core/static/live/pause.js";
import { Signal } from "../../core/static/live/signal.js";
import { Status } from "../../core/static/live/status.js";
import { Clock } from "./engine.js";

const { window } = new JSDOM("<!doctype html><body><main></main></body>", { url: "https://coursewire.test/media?page=2" });
for (const name of ["HTMLElement", "document", "customElements"]) globalThis[name] = window[name];
const { LiveIndicator } = await import("../../core/static/live/indicator.js");
customElements.define("live-indicator", LiveIndicator);
window.HTMLElement.prototype.hidePopover ??= () => {};
after(() => window.close());

/** @type {Clock} */
let clock;
/** @type {Status} */
let status;
/** @type {Held} */
let store;
let refreshed = 0;

/** A store as far as a pause needs one. */
class Held {
  isHeld = false;
  /** @type {Signal<number>} */
  waiting = new Signal();

  hold() {
    this.isHeld = true;
  }

  release() {
    this.isHeld = false;
  }
}

beforeEach(() => {
  clock = new Clock();
  status = new Status(clock);
  refreshed = 0;
  store = new Held();
  const pause = new Pause(store, null);
  LiveIndicator.wiring = { status, pause, refresh: () => (refreshed += 1), now: clock.wall };
  document.body.innerHTML = "<live-indicator></live-indicator><main></main>";
});

const indicator = () => /** @type {HTMLElement} */ (document.querySelector("live-indicator"));
const word = () => indicator().querySelector(".live-word")?.textContent;

for (const [state, expected] of /** @type {const} */ ([
  ["connecting", "Connecting"],
  ["live", "Live"],
  ["reconnecting", "Reconnecting"],
  ["degraded", "Degraded"],
  ["offline", "Offline"],
])) {
  test(`the word for ${state} is ${expected}`, () => {
    status.connection(state);

    assert.equal(word(), expected);
    assert.equal(indicator().dataset["state"], state);
  });
}

test("a page that may be out of date says since when", async () => {
  status.connection("live");
  status.connection("reconnecting");
  await clock.pass(10_000);

  assert.match(word() ?? "", /^May be out of date since \d\d:\d\d$/);
  assert.equal(indicator().dataset["state"], "stale");
});

test("“Refresh now” stands in its details", () => {
  const button = indicator().querySelector("[popover] button");

  assert.equal(button?.textContent, "Refresh now");
  button?.dispatchEvent(new window.Event("click"));

  assert.equal(refreshed, 1);
});

test("moved elsewhere it has one button, and hears once", () => {
  document.body.append(indicator());
  status.connection("live");

  assert.equal(indicator().querySelectorAll(".live-button").length, 1);
  assert.equal(word(), "Live");
});

test("who is signed out is told once, with the way back to this page", () => {
  new SignInNotice(document, status);

  status.signedOut(true);
  status.signedOut(true);

  const [alert, ...others] = document.querySelectorAll("[role=alert]");
  assert.equal(others.length, 0);
  assert.equal(alert?.querySelector("a")?.getAttribute("href"), "/sign-in?next=%2Fmedia%3Fpage%3D2");
  assert.equal(word(), "Signed out");
  status.signedOut(false);
  assert.equal(document.querySelector("[role=alert]"), null);
});

test("what slept overnight says of which day it is", async () => {
  status.connection("live");
  clock.sleep(86_400_000);

  status.connection("reconnecting");
  await clock.pass(10_000);

  assert.match(word() ?? "", /^May be out of date since \d+ \w+, \d\d:\d\d$/);
});

test("a paused page says so, and how many changes wait", () => {
  status.connection("live");
  const button = /** @type {HTMLButtonElement} */ ([...indicator().querySelectorAll("[popover] button")].at(-1));
  assert.equal(button.textContent, "Pause live updates");

  button.click();
  assert.equal(word(), "Paused");
  store.waiting.emit(1);
  assert.equal(word(), "Paused · 1 change waiting");
  store.waiting.emit(3);
  assert.equal(word(), "Paused · 3 changes waiting");
  assert.match(indicator().textContent ?? "", /3 changes by others will show when you resume\./);

  button.click();
  assert.equal(word(), "Live");
});
