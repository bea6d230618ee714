/** Starts presence on a page that shows who is there. */

import { systemClock as clock } from "../live/clock.js";
import { newId } from "../live/ids.js";
import { marks } from "./marks.js";
import { Presence } from "./presence.js";

const ADDRESS = "/presence/here";
const GONE = [401, 403, 404];

const team = /** @type {HTMLElement | null} */ (document.querySelector("[data-presence]"));
if (team !== null) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const mark = () => sheet.replaceSync(marks(team, document.body.dataset["user"] ?? ""));
  mark();
  document.addEventListener("live:updated", (event) => {
    if (event.target instanceof Node && team.contains(event.target)) mark();
  });
  new Presence({
    course_id: Number(team.dataset["presence"]),
    tab: newId(),
    say,
    leave: (said) => void navigator.sendBeacon(ADDRESS, JSON.stringify(said)),
    clock,
    random: Math.random,
    document,
    window,
  }).start();
}

/** @param {import("./presence.js").Said} said */
async function say(said) {
  try {
    const answer = await fetch(ADDRESS, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body: JSON.stringify(said),
    });
    return !GONE.includes(answer.status);
  } catch {
    return true; // offline: it is said again
  }
}
