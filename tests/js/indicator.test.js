import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import { JSDOM } from "jsdom";

import { SignInNotice } from "../../core/static/live/sign_in_notice.js";
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
let refreshed = 0;

beforeEach(() => {
  clock = new Clock();
  status = new Status(clock);
  refreshed = 0;
  LiveIndicator.wiring = { status, refresh: () => (refreshed += 1), now: clock.wall };
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
