/** Starts everything on a page; every page loads it as its one module. */

import { sessionStorageIfAllowed, startScreens } from "../ui/index.js";
import { Announcer } from "./announcer.js";
import { fullJitter } from "./backoff.js";
import { systemClock as clock } from "./clock.js";
import { Connection } from "./connection.js";
import { highlight } from "./highlight.js";
import { newId } from "./ids.js";
import { LiveIndicator } from "./indicator.js";
import { inquiry } from "./inquiry.js";
import { Inspection } from "./inspection.js";
import { bindTheirs } from "./morph.js";
import { afterPaint } from "./paint.js";
import { Pause } from "./pause.js";
import { Reader } from "./reader.js";
import { inLanguageOf } from "./language.js";
import { LiveRegion } from "./region.js";
import { Session } from "./session.js";
import { Sights } from "./sights.js";
import { SignInNotice } from "./sign_in_notice.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { witness } from "./witness.js";
import { _ } from "./texts.js";

const root = document.documentElement;
const { liveUrl, liveKeys, user } = document.body.dataset;
const random = Math.random;
const backoff = fullJitter(random);

const fetch = inLanguageOf(document, window.fetch.bind(window));
const reader = new Reader({ fetch, clock });
const store = new Store({ reader, clock, random, backoff });
const status = new Status(clock);
const announcer = new Announcer({
  element: document.querySelector("#announcer") ?? document.createElement("div"),
  setTimeout: window.setTimeout.bind(window),
});

root.classList.add("js");
LiveRegion.wiring = { store, clock };
const pause = new Pause(store, memoryOf(() => window.sessionStorage));
pause.changed.subscribe(tellOfPause(pause.report.isOn));
LiveIndicator.wiring = { status, pause, refresh: () => store.refresh(), now: clock.wall };
customElements.define("live-region", LiveRegion);
bindTheirs(document);
document.addEventListener("live:updated", (event) => tellOfOthers(/** @type {CustomEvent} */ (event)));
startScreens({ store, announce: (text) => announcer.say(text) });

if (liveUrl && user) {
  const tabs = new Tabs({
    name: `coursewire:live:${user}`,
    id: newId(),
    connect: () =>
      new Connection({
        url: liveUrl,
        most_keys: Number(liveKeys),
        inquire: inquiry({ fetch, clock }),
        open: (url) => new EventSource(url),
        clock,
        random,
        backoff,
        isOnline: () => navigator.onLine,
      }),
    // Only secure origins (and localhost) have Web Locks.
    locks: navigator.locks ?? null,
    openChannel: "BroadcastChannel" in window ? (name) => new BroadcastChannel(name) : null,
    clock,
    isHidden: () => document.hidden,
  });
  new SignInNotice(document, status);
  status.changed.subscribe(({ state }) => show(state));
  new Session({ store, tabs, status, clock, random, document, window }).start();
  const sights = new Sights({
    store,
    reader,
    frames: tabs.frames,
    clock,
    afterPaint: afterPaint(window),
    isHidden: () => document.hidden,
  });
  witness(sights.changed, (report) => navigator.sendBeacon(`${liveUrl}/seen`, report));
  document.addEventListener("visibilitychange", () => document.hidden && sights.leave("hidden"));
  window.addEventListener("pagehide", () => sights.leave("left"));
  new Inspection({
    document,
    query: new URLSearchParams(window.location.search),
    storage: sessionStorageIfAllowed(),
    frames: tabs.frames,
    load: async () => {
      const { Inspector } = await import("../inspect/inspector.js");
      return new Inspector({ document, fetch, clock, sights: sights.changed });
    },
    loadMark: () => import("../inspect/mark.js"),
  }).start();
  // For the developer's console.
  Object.assign(window, { coursewire: Object.freeze({ store, status, tabs }) });
}
customElements.define("live-indicator", LiveIndicator);

/** @param {boolean} was */
function tellOfPause(was) {
  return (/** @type {import("./pause.js").Report} */ { isOn }) => {
    if (isOn !== was) announcer.say(isOn ? _("Live updates are paused.") : _("Live updates go on."));
    was = isOn;
  };
}

/** Reading it throws where the browser refuses to store anything. @param {() => Storage} read */
function memoryOf(read) {
  try {
    return read();
  } catch {
    return null;
  }
}

/** @param {import("./status.js").Word} state */
function show(state) {
  const before = root.dataset["liveState"];
  if (state === before) return;
  root.dataset["liveState"] = state;
  document.dispatchEvent(new CustomEvent("live:state", { detail: { state } }));
  if (state === "offline") announcer.say(_("You are offline."));
  if (state === "stale") announcer.say(_("This page may be out of date."));
  if (state === "live" && (before === "offline" || before === "stale")) announcer.say(_("This page is live again."));
}

/** @param {CustomEvent} event `live:updated` */
function tellOfOthers({ target, detail }) {
  const { changes, own } = detail;
  if (own || isActing() || /** @type {Element} */ (target).closest("[data-live-quiet]")) return;
  const touched = [...changes.added, ...changes.changed];
  // The innermost only: a chapter whose count ticks is not news beside the row that was added.
  highlight(touched.filter((each) => !touched.some((other) => other !== each && each.contains(other))));
  announcer.updated(/** @type {Element} */ (target), changes);
  if (changes.focusLost) announcer.say(_("{name} was removed by somebody else.", { name: nameOf(changes) }));
}

/** @param {{focusLost: Element, removed: Element[]}} changes */
function nameOf({ focusLost, removed }) {
  const row = removed.find((each) => each.contains(focusLost));
  const name = row?.querySelector("h2, h3, bdi, strong")?.textContent?.trim();
  return name ? `“${name}”` : _("What you were on");
}

/**
 * Whether a form of this page is on its way. The stream may tell of what it did before its own
 * answer does; that is no news from others.
 */
function isActing() {
  return document.querySelector('html[data-acting], form[action^="/a/"] [aria-busy="true"]') !== null;
}
