import { Stamp } from "../live/stamps.js";
import { readAnswer } from "./answer.js";
import { Complaint } from "./complaint.js";
import { firstField, takeAsSaved } from "./fields.js";
import { isFocusLost } from "./focus.js";
import { Submission } from "./submission.js";
import { _ } from "../live/texts.js";

/** @typedef {import("../live/keys.js").KeyParts} KeyParts */
/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./answer.js").Done} Done */
/** @typedef {import("./answer.js").Problem} Problem */

/**
 * What forms ask of the engine.
 *
 * @typedef {object} Store
 * @property {(keys: KeyParts[], how: {stamp: Stamp | null, own: boolean}) => unknown} invalidate
 */

/**
 * @typedef {object} Surroundings
 * @property {Document | HTMLElement} root
 * @property {Store} store
 * @property {{show: (text: string, how?: import("./toasts.js").ToastChoices) => unknown, leave: (text: string, undo?: import("./answer.js").Undo | null) => void}} toasts
 * @property {(text: string) => void} announce
 * @property {{offer: (undo: import("./answer.js").Undo | null | undefined) => import("./toasts.js").ToastChoices["action"]}} commands
 * @property {typeof fetch} fetch
 * @property {() => boolean} online
 * @property {(submission: Submission) => Promise<Answer>} upload
 * @property {(url: string) => void} navigate
 * @property {() => string} here the page's own path and query
 * @property {() => string} newKey
 */

const PATIENCE_MS = 30_000;

/**
 * Sends the page's forms without leaving the page, and shows what came of it where it was asked.
 *
 * A `form:done` event bubbles from a form that was saved.
 */
export class Forms {
  #outside;
  /** @type {WeakSet<HTMLFormElement>} */
  #busy = new WeakSet();
  /** @type {WeakMap<HTMLFormElement, Submission>} */
  #unanswered = new WeakMap();
  /** @type {WeakMap<HTMLFormElement, Complaint>} */
  #complaints = new WeakMap();

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const { root } = this.#outside;
    const ending = new AbortController();
    const until = { signal: ending.signal };
    root.addEventListener("submit", (event) => this.#onSubmit(/** @type {SubmitEvent} */ (event)), until);
    root.addEventListener("input", (event) => this.#onInput(event), until);
    return () => ending.abort();
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    const form = event.target;
    if (event.defaultPrevented || !(form instanceof HTMLFormElement)) return;
    if (form.method !== "post" || !form.getAttribute("action")?.startsWith("/a/")) return;
    event.preventDefault();
    if (!this.#busy.has(form)) void this.#submit(form, event.submitter);
  }

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement | null} submitter
   */
  async #submit(form, submitter) {
    const { newKey } = this.#outside;
    const submission = new Submission(form, submitter, newKey, this.#unanswered.get(form));
    this.#unanswered.set(form, submission);
    this.#busy.add(form);
    submitter?.setAttribute("aria-busy", "true");
    const answer = await this.#send(submission);
    this.#busy.delete(form);
    submitter?.removeAttribute("aria-busy");
    if (answer === null) return;
    this.#complaints.get(form)?.clear();
    this.#complaints.delete(form);
    if ("done" in answer) this.#finish(submission, answer.done);
    else this.#complain(submission, answer.problem, submitter);
  }

  /**
   * @param {Submission} submission
   * @returns {Promise<Answer | null>} null when it was called off
   */
  async #send(submission) {
    const { upload, online } = this.#outside;
    try {
      const sent = submission.form.hasAttribute("data-upload")
        ? await upload(submission)
        : await this.#post(submission);
      // After a fault nobody knows whether it was saved: sent again with its key, it is saved once.
      const known = "done" in sent || sent.problem.status < 500;
      if (known) this.#unanswered.delete(submission.form);
      return sent;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return null;
      const detail = online()
        ? _("The server cannot be reached. Nothing was saved as far as we know; try again.")
        : _("You are offline. Nothing was saved; try again when the connection is back.");
      return { problem: { status: 0, detail } };
    }
  }

  /** @param {Submission} submission */
  async #post({ url, headers, body }) {
    const response = await this.#outside.fetch(url, {
      method: "POST",
      headers,
      body,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return readAnswer(response.status, response.headers.get("Content-Type"), await response.text());
  }

  /**
   * @param {Submission} submission
   * @param {Done} done
   */
  #finish({ form, data }, done) {
    const { store, toasts, announce, navigate, commands } = this.#outside;
    if (form.hasAttribute("data-reset")) reset(form);
    else takeAsSaved(form, data);
    const closed = close(form);
    form.dispatchEvent(new CustomEvent("form:done", { bubbles: true, detail: done }));
    const next = ownAddress(destination(form, data, done, closed));
    if (next !== null) {
      if (done.message) toasts.leave(done.message, done.undo ?? null);
      navigate(next);
      return;
    }
    store.invalidate(done.stale, { stamp: Stamp.parse(done.stamp), own: true });
    const action = commands.offer(done.undo);
    if (!done.message) return;
    toasts.show(done.message, action ? { action } : {});
    announce(done.message);
  }

  /**
   * @param {Submission} submission
   * @param {Problem} problem
   * @param {HTMLElement | null} submitter
   */
  #complain({ form }, problem, submitter) {
    const { toasts, here } = this.#outside;
    if (!isSeen(form)) {
      toasts.show(problem.detail, { kind: "problem" });
      return;
    }
    const resubmit = () => form.requestSubmit(submitter?.isConnected ? submitter : null);
    const complaint = new Complaint(form, problem, { resubmit, here });
    this.#complaints.set(form, complaint);
    complaint.show();
  }

  /** @param {Event} event */
  #onInput({ target }) {
    if (target instanceof Element && target.hasAttribute("aria-invalid")) {
      const { form, name } = /** @type {HTMLInputElement} */ (target);
      if (form) this.#complaints.get(form)?.clearField(name);
    }
  }
}

/**
 * Empty it for the next one.
 *
 * @param {HTMLFormElement} form
 */
function reset(form) {
  const mayFocus = isFocusLost() || form.contains(document.activeElement);
  form.reset();
  if (mayFocus) firstField(form)?.focus();
}

/**
 * Close what is open only for the sake of this form.
 *
 * @param {HTMLFormElement} form
 * @returns {boolean} whether a dialog or menu was closed
 */
function close(form) {
  const menu = /** @type {HTMLElement | null} */ (form.closest("[popover]"));
  if (menu?.isConnected) menu.hidePopover?.();
  const details = form.closest("details");
  if (details && !form.hasAttribute("data-reset")) details.open = false;
  const dialog = form.hasAttribute("data-close") ? form.closest("dialog") : null;
  dialog?.close();
  return menu !== null || dialog !== null;
}

/**
 * @param {HTMLFormElement} form
 * @param {FormData} data
 * @param {Done} done
 * @param {boolean} closed
 * @returns {unknown}
 */
function destination(form, data, { result }, closed) {
  const { go, goResult, close: closes } = form.dataset;
  if (go) return go;
  if (goResult) return /** @type {Record<string, unknown> | null} */ (result)?.[goResult];
  // What closes itself in a dialog has, as a page of its own, done its work.
  return closes !== undefined && !closed ? data.get("_next") : null;
}

/**
 * @param {unknown} address
 * @returns {string | null} null unless it is on this site
 */
function ownAddress(address) {
  if (typeof address !== "string" || address === "") return null;
  const url = new URL(address, document.baseURI);
  return url.origin === new URL(document.baseURI).origin ? url.href : null;
}

/** @param {HTMLFormElement} form */
function isSeen(form) {
  return form.isConnected && (form.checkVisibility?.() ?? true);
}
