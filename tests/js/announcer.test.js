import assert from "node:assert/strict";
import { test } from "node:test";
import { find, show } from "./region.js";

const { morph } = await import("../../core/static/live/morph.js");
const { Announcer } = await import("../../core/static/live/announcer.js");

const chapter = (name, ...videos) => {
  const rows = videos.map((video) => `<li data-key="link-${video}">${video}</li>`).join("");
  const list = videos.length
    ? `<ol data-announce="videos" data-announce-name="${name}">${rows}</ol>`
    : "<p>No videos yet.</p>";
  return `<li data-key="chapter-${name}"><h3>${name}</h3>${list}</li>`;
};
const chapters = (...inside) => `<ol data-announce="chapters">${inside.join("")}</ol>`;

function stage(html) {
  const region = show(html);
  const element = document.createElement("p");
  const timers = [];
  const announcer = new Announcer({ element, setTimeout: (run, ms) => timers.push({ run, ms }) });
  return {
    announcer,
    timers,
    change: (fresh) => announcer.updated(region, morph(region, fresh)),
    heard: () => {
      for (const { run } of timers.splice(0)) run();
      return element.textContent;
    },
  };
}

test("videos added to and removed from named lists are counted", () => {
  const { change, heard } = stage(chapters(chapter("Basics", 1), chapter("Optics", 2, 3)));

  change(chapters(chapter("Basics", 1, 4, 5), chapter("Optics", 3)));

  assert.equal(heard(), "2 videos added to Basics. 1 video removed from Optics");
});

test("what comes within a second is said at once, in one text", () => {
  const { change, heard, timers } = stage(chapters(chapter("Basics", 1)));

  change(chapters(chapter("Basics", 1, 2)));
  change(chapters(chapter("Basics", 1, 2, 3)));

  assert.deepEqual(timers.map(({ ms }) => ms), [1000]);
  assert.equal(heard(), "2 videos added to Basics");
});

test("a list without a name is just counted, and its content is not", () => {
  const { change, heard } = stage(chapters());

  change(chapters(chapter("Basics", 1, 2)));

  assert.equal(heard(), "1 chapter added");
});

test("the first and the last video of a chapter count like the others", () => {
  const { change, heard } = stage(chapters(chapter("Basics")));

  change(chapters(chapter("Basics", 1)));
  assert.equal(heard(), "1 video added to Basics");
  change(chapters(chapter("Basics")));
  assert.equal(heard(), "1 video removed from Basics");
});

test("a video in another chapter has moved", () => {
  const { change, heard } = stage(chapters(chapter("Basics", 1, 2), chapter("Optics")));

  change(chapters(chapter("Basics", 2), chapter("Optics", 1)));

  assert.equal(heard(), "1 video moved to Optics");
});

test("a new order is said too", () => {
  const { change, heard } = stage(chapters(chapter("Basics", 1, 2, 3)));

  change(chapters(chapter("Basics", 3, 1, 2)));

  assert.equal(heard(), "1 video moved in Basics");
});

test("changes outside the lists are not announced", () => {
  const { change, timers } = stage(`<p id="a">1</p>${chapters()}`);

  change(`<p id="b">1</p>${chapters()}`);

  assert.deepEqual(timers, []);
});

test("messages are said soon, all of them, and again if they come again", () => {
  const { announcer, heard } = stage("");

  announcer.say("Saved.");
  announcer.say("Chapter added.");
  assert.equal(heard(), "Saved. Chapter added.");
  announcer.say("Saved. Chapter added.");
  assert.equal(heard(), "Saved. Chapter added.\u00a0");
  assert.equal(find("[role=status]"), null);
});
