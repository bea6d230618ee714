import assert from "node:assert/strict";
import { test } from "node:test";

import { Submission } from "../../core/static/ui/submission.js";
import { Upload } from "../../core/static/ui/upload.js";
import { openPage } from "./page.js";

class Request extends EventTarget {
  upload = new EventTarget();
  headers = {};
  status = 0;
  responseText = "";
  open(...where) {
    this.where = where;
  }
  setRequestHeader(name, value) {
    this.headers[name] = value;
  }
  getResponseHeader() {
    return "application/problem+json";
  }
  send(body) {
    this.body = body;
  }
  abort() {
    this.dispatchEvent(new globalThis.Event("abort"));
  }
}

function sending(t, html = "<progress hidden></progress>") {
  const NodeEvent = globalThis.Event;
  const window = openPage(t, `<form method="post" action="/a/media/upload" data-upload>${html}<button>Upload</button></form>`);
  globalThis.Event = NodeEvent;
  const form = window.document.querySelector("form");
  const request = new Request();
  const listening = new Set();
  const upload = new Upload({
    newRequest: () => request,
    window: { addEventListener: (name) => listening.add(name), removeEventListener: (name) => listening.delete(name) },
  });
  const answer = upload.send(new Submission(form, null, () => "key-1"));
  const tell = (target, name, extra = {}) => target.dispatchEvent(Object.assign(new NodeEvent(name), extra));
  return { window, form, request, answer, listening, tell };
}

test("the bar follows the upload in words too, and goes when the answer is there", async (t) => {
  const { form, request, answer, listening, tell } = sending(t);

  assert.deepEqual(request.where, ["POST", "/a/media/upload"]);
  assert.equal(request.headers["Idempotency-Key"], "key-1");
  assert.equal(form.querySelector("progress").hidden, false);
  assert.deepEqual([...listening], ["beforeunload"]);
  tell(request.upload, "progress", { loaded: 42, total: 100 });
  assert.equal(form.querySelector("progress").value, 42);
  assert.match(form.querySelector(".upload-state").textContent, /^42 % sent/);
  request.status = 422;
  request.responseText = JSON.stringify({ detail: "No video." });
  tell(request, "load");

  assert.deepEqual(await answer, { problem: { detail: "No video.", status: 422 } });
  assert.equal(form.querySelector("progress").hidden, true);
  assert.equal(form.querySelector(".upload-state"), null);
  assert.deepEqual([...listening], []);
});

test("a form without a bar gets one for as long as it is needed", async (t) => {
  const { form, request, answer, tell } = sending(t, "");

  assert.ok(form.querySelector("progress"));
  tell(request, "error");

  await assert.rejects(answer, TypeError);
  assert.equal(form.querySelector("progress"), null);
});

test("an upload can be called off", async (t) => {
  const { form, answer } = sending(t);

  form.querySelector(".upload-state button").click();

  await assert.rejects(answer, { name: "AbortError" });
});

test("a file that is too large is not sent at all", async (t) => {
  const { window, form, request, answer, tell } = sending(t, '<input type="file" name="file" data-max-bytes="500000">');
  tell(request, "abort");
  await assert.rejects(answer);
  delete request.where;
  const file = new window.File([new Uint8Array(500_001)], "Dunes.webm");
  Object.defineProperty(form.querySelector("input"), "files", { value: [file] });

  const upload = new Upload({ newRequest: () => request, window });
  const { problem } = await upload.send(new Submission(form, null, () => "key-2"));

  assert.equal(request.where, undefined);
  assert.match(problem.detail, /^“Dunes.webm” is larger than 0.5 MB, the most/);
  assert.deepEqual(problem.errors, { file: "Choose a smaller file." });
});
