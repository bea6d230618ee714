/** Starts the uploads of the library's pages: forms marked `data-upload-parts`, and what is dropped. */

import { fullJitter } from "../live/backoff.js";
import { takeDrops } from "./drop.js";
import { Endpoint } from "./endpoint.js";
import { look } from "./look.js";
import { takePosters } from "./poster.js";
import { Queue } from "./queue.js";
import { Transfer } from "./transfer.js";
import { Tray } from "./tray.js";

const FORM = "form[data-upload-parts]";

const outside = {
  endpoint: new Endpoint({ fetch: window.fetch.bind(window), newRequest: () => new XMLHttpRequest() }),
  look,
  subtle: /** @type {SubtleCrypto | undefined} */ (window.crypto.subtle),
  now: () => performance.now(),
  setTimeout: window.setTimeout.bind(window),
  backoff: fullJitter(Math.random, { first_ms: 500, longest_ms: 15_000 }),
};
const tray = new Tray({ queue: new Queue(), parent: document.body });

for (const input of document.querySelectorAll(`${FORM}:not([data-media-id]) input[type=file]`)) {
  takeSeveral(/** @type {HTMLInputElement} */ (input));
}

// Before the forms of the page hear of it.
document.addEventListener("submit", onSubmit, { capture: true });
if (document.querySelector(`${FORM}:not([data-media-id])`)) takeDrops(document, (files) => send(files));
takePosters(document);
window.addEventListener("beforeunload", (event) => {
  if (tray.busy) event.preventDefault();
});

/**
 * Several files keep their names, so nobody is asked for one title.
 *
 * @param {HTMLInputElement} input
 */
function takeSeveral(input) {
  const title = /** @type {HTMLElement | null | undefined} */ (
    input.form?.querySelector("[name=title]")?.closest(".field")
  );
  const follow = () => {
    if (title) title.hidden = (input.files?.length ?? 0) > 1;
  };
  input.multiple = true;
  input.addEventListener("change", follow);
  input.form?.addEventListener("reset", () => setTimeout(follow));
}

/** @param {Event} event */
function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches(FORM)) return;
  const input = /** @type {HTMLInputElement | null} */ (form.querySelector("input[type=file]"));
  const files = [...(input?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  const title = String(new FormData(form).get("title") ?? "");
  const { mediaId } = form.dataset;
  send(files, { title: files.length === 1 ? title : "", mediaId: mediaId ? Number(mediaId) : null });
  form.reset();
  const details = form.closest("details");
  if (details) details.open = false;
}

/**
 * @param {File[]} files
 * @param {{title?: string, mediaId?: number | null}} [choices]
 */
function send(files, choices = {}) {
  for (const file of files) tray.add(new Transfer(file, outside, choices));
}
