import assert from "node:assert/strict";
import { test } from "node:test";

import { morph } from "../../core/static/live/morph.js";
import { Forms } from "../../core/static/ui/forms.js";
import { openPage, settled } from "./page.js";

const RENAME = `
  <main><form method="post" action="/a/chapters/rename" id="form">
    <input type="hidden" name="was.title" value="Old">
    <div class="field"><label for="title">Chapter title</label><input id="title" name="title" value="Old"></div>
    <input type="hidden" name="chapter_id" value="4">
    <div data-errors></div>
    <button name="after" value="3">Rename</button>
  </form></main>`;

/** Binds forms to a page; `answers` are given one by one, a thrown one is a network that failed. */
function bound(t, html, ...answers) {
  const window = openPage(t, html);
  const heard = { sent: [], toasts: [], announced: [], stale: [], went: [], left: [], online: true };
  let keys = 0;
  const forms = new Forms({
    root: window.document,
    store: { invalidate: (keys, how) => heard.stale.push([keys, how]) },
    commands: { offer: () => undefined },
    toasts: { show: (text, how) => heard.toasts.push([text, how]), leave: (text) => heard.left.push(text) },
    announce: (text) => heard.announced.push(text),
    fetch: async (url, options) => {
      heard.sent.push({ url, ...options, text: String(options.body) });
      const answer = answers.shift();
      if (typeof answer === "function") return answer();
      return answer;
    },
    upload: () => Promise.reject(new Error("There is nothing to upload.")),
    online: () => heard.online,
    navigate: (url) => heard.went.push(url),
    here: () => "/courses/1/edit?x=1&y=2",
    newKey: () => `key-${(keys += 1)}`,
  });
  t.after(forms.bind());
  const form = window.document.querySelector("form");
  const submit = async () => {
    form.requestSubmit(form.querySelector("button"));
    await settled();
  };
  const field = (name) => form.elements.namedItem(name);
  return { window, document: window.document, form, heard, submit, field };
}

const json = (status, body, type = "application/json") =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": type } });
const done = (extra = {}) =>
  json(200, { result: null, stale: [], stamp: null, message: null, ...extra });
const problem = (status, body) => json(status, { status, ...body }, "application/problem+json");
const offline = () => {
  throw new TypeError("Failed to fetch");
};

test("a form is sent as JSON is asked for, with its button and a key of its own", async (t) => {
  const { heard, submit } = bound(t, RENAME, done());

  await submit();

  const [sent] = heard.sent;
  assert.equal(sent.url, "/a/chapters/rename");
  assert.equal(sent.method, "POST");
  assert.equal(sent.headers.Accept, "application/json");
  assert.equal(sent.headers["Idempotency-Key"], "key-1");
  assert.equal(sent.text, "was.title=Old&title=Old&chapter_id=4&after=3");
});

test("what became stale is told to the store as this page's own doing", async (t) => {
  const stale = [["chapters", "list", 42]];
  const { heard, submit } = bound(t, RENAME, done({ stale, stamp: "3f2a9c01b7de-41", message: "Renamed." }));

  await submit();

  const [[keys, { stamp, own }]] = heard.stale;
  assert.deepEqual(keys, stale);
  assert.equal(String(stamp), "3f2a9c01b7de-41");
  assert.equal(own, true);
  assert.deepEqual(heard.toasts, [["Renamed.", {}]]);
  assert.deepEqual(heard.announced, ["Renamed."]);
});

test("a second submission while the first is under way is ignored", async (t) => {
  const { heard, form, submit } = bound(t, RENAME, done(), done());

  form.requestSubmit();
  await submit();

  assert.equal(heard.sent.length, 1);
});

test("the button is busy until the answer is there", async (t) => {
  const { form } = bound(t, RENAME, done());
  const button = form.querySelector("button");

  form.requestSubmit(button);

  assert.equal(button.getAttribute("aria-busy"), "true");
  await settled();
  assert.equal(button.hasAttribute("aria-busy"), false);
});

test("without an answer the next try has the same key; after one, another", async (t) => {
  const { heard, submit } = bound(t, RENAME, offline, json(502, "gateway"), done(), done());

  for (let times = 0; times < 4; times += 1) await submit();

  assert.deepEqual(
    heard.sent.map(({ headers }) => headers["Idempotency-Key"]),
    ["key-1", "key-1", "key-1", "key-2"],
  );
});

test("what was changed after a try without an answer is another submission", async (t) => {
  const { heard, submit, field } = bound(t, RENAME, offline, done());

  await submit();
  field("title").value = "Other";
  await submit();

  assert.deepEqual(heard.sent.map(({ headers }) => headers["Idempotency-Key"]), ["key-1", "key-2"]);
});

test("after success what was sent is not half-typed any more, and was is what was sent", async (t) => {
  const { submit, field } = bound(t, RENAME, done());
  field("title").value = "New";

  await submit();

  assert.equal(field("title").defaultValue, "New");
  assert.equal(field("was.title").value, "New");
});

test("what is typed while it is sent stays half-typed", async (t) => {
  const { form, field } = bound(t, RENAME, done());
  field("title").value = "New";
  form.requestSubmit();
  field("title").value = "Newer";

  await settled();

  assert.equal(field("title").value, "Newer");
  assert.equal(field("title").defaultValue, "New");
});

test("chosen radio buttons and options become the default ones", async (t) => {
  const { submit, form } = bound(
    t,
    `<form method="post" action="/a/x/y">
      <input type="radio" name="status" value="draft" checked><input type="radio" name="status" value="published">
      <select name="role"><option value="viewer" selected>V</option><option value="editor">E</option></select>
      <button>Save</button></form>`,
    done(),
  );
  const [draft, published] = form.querySelectorAll("[type=radio]");
  const [viewer, editor] = form.querySelectorAll("option");
  published.checked = true;
  form.querySelector("select").value = "editor";

  await submit();

  assert.deepEqual([draft.defaultChecked, published.defaultChecked], [false, true]);
  assert.deepEqual([viewer.defaultSelected, editor.defaultSelected], [false, true]);
  assert.equal(form.querySelector("select").value, "editor");
});

test("a form with data-reset is emptied and waits for the next", async (t) => {
  const { submit, field, form, document } = bound(t, RENAME, done());
  form.setAttribute("data-reset", "");
  field("title").value = "New";

  await submit();

  assert.equal(field("title").value, "Old");
  assert.equal(document.activeElement, field("title"));
});

test("a problem is said in the form, and each field at fault is marked and told why", async (t) => {
  const { submit, field, form, document } = bound(
    t,
    RENAME,
    problem(422, { detail: "Check: title.", errors: { title: "Enter a title." } }),
    done(),
  );

  await submit();

  assert.equal(form.querySelector("[data-errors] [role=alert].problem").textContent, "Check: title.");
  const title = field("title");
  assert.equal(title.getAttribute("aria-invalid"), "true");
  assert.equal(document.getElementById(title.getAttribute("aria-describedby")).textContent, "Enter a title.");
  assert.equal(document.activeElement, title);

  await submit();

  assert.equal(form.querySelector(".problem, .field-error, [aria-invalid], [aria-describedby]"), null);
});

test("mending a field takes its text away", async (t) => {
  const { submit, field, form, window } = bound(
    t,
    RENAME,
    problem(422, { detail: "Check.", errors: { title: "Enter a title." } }),
  );
  await submit();

  field("title").dispatchEvent(new window.Event("input", { bubbles: true }));

  assert.equal(form.querySelector("[aria-invalid], .field-error"), null);
});

test("a form without a place for errors gets one", async (t) => {
  const { submit, form } = bound(t, RENAME, problem(403, { detail: "You may look." }));
  form.querySelector("[data-errors]").remove();

  await submit();

  assert.equal(form.querySelector(":scope > .problem[role=alert]").textContent, "You may look.");
});

test("an update of the region around it leaves a problem where it is", async (t) => {
  const problems = problem(422, { detail: "Check.", errors: { title: "Enter a title." } });
  const { submit, form, document } = bound(t, RENAME, problems);

  await submit();
  morph(document.querySelector("main"), RENAME.replace(/<.?main>/g, "").replaceAll("Old", "Newer"));

  assert.equal(form.isConnected, true);
  assert.equal(form.querySelector(".problem").textContent, "Check.");
  assert.equal(form.querySelector(".field-error").textContent, "Enter a title.");
  assert.ok(form.querySelector("[aria-invalid][aria-describedby]"));
});

test("an ended sign-in shows the way back to this page", async (t) => {
  const { submit, form } = bound(t, RENAME, problem(401, { detail: "Sign in first." }));

  await submit();

  const link = form.querySelector(".problem a");
  assert.equal(link.getAttribute("href"), "/sign-in?next=%2Fcourses%2F1%2Fedit%3Fx%3D1%26y%3D2");
});

const CONFLICT = { detail: "Renamed meanwhile.", theirs: { title: "Theirs" }, mine: { title: "Mine" } };

test("a lost update shows both texts; mine is kept by sending it against theirs", async (t) => {
  const { submit, form, field, heard } = bound(t, RENAME, problem(409, CONFLICT), done());
  field("title").value = "Mine";

  await submit();
  const [keep] = form.querySelectorAll(".conflict button");
  assert.match(form.querySelector(".conflict").textContent, /Chapter title.*Theirs: Theirs.*Yours: Mine/);
  keep.click();
  await settled();

  assert.equal(heard.sent[1].text, "was.title=Theirs&title=Mine&chapter_id=4&after=3");
  assert.equal(heard.sent[1].headers["Idempotency-Key"], "key-2");
  assert.equal(form.querySelector(".conflict"), null);
});

test("a lost update shows both texts; theirs is taken without sending anything", async (t) => {
  const { submit, form, field, heard } = bound(t, RENAME, problem(409, CONFLICT));
  field("title").value = "Mine";

  await submit();
  form.querySelectorAll(".conflict button")[1].click();

  assert.equal(field("title").value, "Theirs");
  assert.equal(field("was.title").value, "Theirs");
  assert.equal(form.querySelector(".conflict, .problem"), null);
  assert.equal(heard.sent.length, 1);
});

test("what is in use says where, with links of this site only", async (t) => {
  const uses = [
    { course_title: "Photography", chapter_title: "Basics", url: "/courses/1/edit#chapter-1" },
    { course_title: "Odd", chapter_title: "Other", url: "//elsewhere.test/" },
  ];
  const { submit, form } = bound(t, RENAME, problem(409, { detail: "In use.", uses }));

  await submit();

  const items = [...form.querySelectorAll("li")].map((li) => li.innerHTML);
  assert.deepEqual(items, [
    '<a href="/courses/1/edit#chapter-1">Basics · Photography</a>',
    "Other · Odd",
  ]);
});

test("without the network the form says so and stays as it was", async (t) => {
  const { submit, form, field, heard } = bound(t, RENAME, offline, offline);
  field("title").value = "Half typed";
  heard.online = false;

  await submit();

  assert.equal(
    form.querySelector("[role=alert]").textContent,
    "You are offline. Nothing was saved; try again when the connection is back.",
  );
  heard.online = true;
  await submit();
  assert.equal(
    form.querySelector("[role=alert]").textContent,
    "The server cannot be reached. Nothing was saved as far as we know; try again.",
  );
  assert.equal(field("title").value, "Half typed");
});

test("an answer in somebody else's words is put into ours", async (t) => {
  const page = new Response("<html>Bad gateway</html>", { status: 502, headers: { "Content-Type": "text/html" } });
  const { submit, form } = bound(t, RENAME, page);

  await submit();

  assert.match(form.querySelector("[role=alert]").textContent, /^The server has a fault/);
});

test("a problem of a form that is gone meanwhile is said in a message", async (t) => {
  const { form, heard } = bound(t, RENAME, problem(404, { detail: "This chapter is gone." }));
  form.requestSubmit();
  form.remove();

  await settled();

  assert.deepEqual(heard.toasts, [["This chapter is gone.", { kind: "problem" }]]);
});

test("after success a form may go elsewhere on this site, and its message goes along", async (t) => {
  const { form, submit, heard } = bound(
    t,
    RENAME,
    done({ message: "Added." }),
    done({ result: { url: "/courses/9/edit" } }),
    done({ result: { url: "https://elsewhere.test/" } }),
  );

  form.dataset.go = "/courses";
  await submit();
  delete form.dataset.go;
  form.dataset.goResult = "url";
  await submit();
  await submit();

  assert.deepEqual(heard.went, ["https://coursewire.test/courses", "https://coursewire.test/courses/9/edit"]);
  assert.deepEqual(heard.left, ["Added."]);
  assert.deepEqual(heard.toasts, []);
});

test("a form that closes itself closes its dialog, and on a page of its own goes on", async (t) => {
  const html = `<dialog open><form method="post" action="/a/x/y" data-close>
    <input type="hidden" name="_next" value="/courses/1/edit#chapter-2"><button>Add</button></form></dialog>`;
  const { document, form, submit, heard } = bound(t, html, done(), done());
  const dialog = document.querySelector("dialog");

  await submit();

  assert.equal(dialog.open, false);
  assert.deepEqual(heard.went, []);
  document.body.append(form);
  await submit();
  assert.deepEqual(heard.went, ["https://coursewire.test/courses/1/edit#chapter-2"]);
});

test("forms of other addresses, and those that somebody else has taken, are left alone", async (t) => {
  const { form, submit, heard, document } = bound(t, RENAME);
  form.setAttribute("action", "/elsewhere");
  document.addEventListener("submit", (event) => event.preventDefault());

  await submit();
  form.setAttribute("action", "/a/x/y");
  document.addEventListener("submit", (event) => event.preventDefault(), { capture: true });
  await submit();

  assert.deepEqual(heard.sent, []);
});
