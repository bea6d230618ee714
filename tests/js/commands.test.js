import assert from "node:assert/strict";
import { test } from "node:test";

import { Commands } from "../../core/static/ui/commands.js";
import { openPage } from "./page.js";

const TOO_MANY = { status: 429, body: { title: "Too many", status: 429, detail: "Wait a minute, then try again." } };

/** Commands of a page whose server answers what stands in *answers*, one after the other. */
function bound(t, answers) {
  const { document } = openPage(t, "");
  const sent = [];
  const texts = [];
  const clock = { now: 1_000 };
  const commands = new Commands({
    root: document,
    store: { invalidate: () => undefined },
    toasts: { show: (text) => texts.push(text) },
    announce: () => undefined,
    fetch: async (url) => {
      sent.push(url);
      const { status, body } = answers.shift();
      return new Response(JSON.stringify(body), {
        status,
        headers: { "Content-Type": status === 200 ? "application/json" : "application/problem+json", "Retry-After": "30" },
      });
    },
    online: () => true,
    newKey: () => "key",
    wall: () => clock.now,
  });
  return { document, commands, sent, texts, clock };
}

function done(undo = null) {
  return { status: 200, body: { result: null, stale: [], stamp: null, message: "Moved.", undo } };
}

test("after too many, nothing is sent until the time is over that the server named", async (t) => {
  const { commands, sent, texts, clock } = bound(t, [TOO_MANY, done()]);

  assert.equal(await commands.run("chapters/move", {}), null);
  assert.equal(await commands.run("chapters/move", {}), null);
  clock.now += 29_999;
  assert.equal(await commands.run("chapters/move", {}), null);
  assert.equal(sent.length, 1);
  assert.deepEqual(texts, Array(3).fill("Wait a minute, then try again."));

  clock.now += 1;
  assert.notEqual(await commands.run("chapters/move", {}), null);

  assert.equal(sent.length, 2);
});

test("what was to be taken back meanwhile can be taken back later", async (t) => {
  const undo = { action: "chapters/put-back", arguments: {} };
  const { document, commands, sent, clock } = bound(t, [done(undo), TOO_MANY, done()]);
  t.after(commands.bind());
  const takeBack = async () => {
    const pressed = new Event("keydown", { bubbles: true, cancelable: true });
    document.body.dispatchEvent(Object.assign(pressed, { key: "z", ctrlKey: true }));
    await new Promise((resolve) => setTimeout(resolve));
  };
  await commands.run("chapters/move", {});

  await takeBack();
  await takeBack();
  clock.now += 30_000;
  await takeBack();

  assert.deepEqual(sent, ["/a/chapters/move", "/a/chapters/put-back", "/a/chapters/put-back"]);
});
