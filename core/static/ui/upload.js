import { readAnswer } from "./answer.js";
import { fieldsOf } from "./fields.js";
import { UploadBar } from "./upload_bar.js";
import { _, language } from "../live/texts.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./submission.js").Submission} Submission */

/** Sends forms that carry a file, and shows how far it is. */
export class Upload {
  #newRequest;
  #window;
  #running = 0;

  /**
   * @param {object} outside
   * @param {() => XMLHttpRequest} outside.newRequest
   * @param {Pick<Window, "addEventListener" | "removeEventListener">} outside.window
   */
  constructor({ newRequest, window }) {
    this.#newRequest = newRequest;
    this.#window = window;
  }

  /**
   * Rejects with an `AbortError` when somebody cancels it, and with a `TypeError`, as fetch does,
   * when the network fails.
   *
   * @param {Submission} submission
   * @returns {Promise<Answer>}
   */
  async send(submission) {
    const problem = tooLarge(submission.form);
    if (problem) return { problem };
    const request = this.#newRequest();
    const bar = new UploadBar(submission.form, () => request.abort());
    this.#begin();
    try {
      return await answerOf(request, submission, bar);
    } finally {
      this.#end();
      bar.remove();
    }
  }

  #begin() {
    if (this.#running === 0) this.#window.addEventListener("beforeunload", askFirst);
    this.#running += 1;
  }

  #end() {
    this.#running -= 1;
    if (this.#running === 0) this.#window.removeEventListener("beforeunload", askFirst);
  }
}

/**
 * @param {XMLHttpRequest} request
 * @param {Submission} submission
 * @param {UploadBar} bar
 * @returns {Promise<Answer>}
 */
function answerOf(request, { url, headers, data }, bar) {
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => bar.show(event.loaded, event.total));
    request.addEventListener("load", () => {
      const type = request.getResponseHeader("Content-Type");
      resolve(readAnswer(request.status, type, request.responseText));
    });
    request.addEventListener("error", () => reject(new TypeError(_("The upload failed."))));
    request.addEventListener("abort", () => reject(new DOMException("Cancelled.", "AbortError")));
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(data);
  });
}

/**
 * A server that refuses a body closes the connection on it, and no browser tells that from a broken
 * one: so what is too large (`data-max-bytes`) is not sent at all.
 *
 * @param {HTMLFormElement} form
 * @returns {import("./answer.js").Problem | null}
 */
function tooLarge(form) {
  for (const field of fieldsOf(form)) {
    const most = Number(field.dataset["maxBytes"]);
    const files = field instanceof HTMLInputElement ? (field.files ?? []) : [];
    const file = [...files].find(({ size }) => size > most);
    if (!file) continue;
    const detail = _("“{name}” is larger than {limit}, the most that can be uploaded here. Nothing was sent.", {
      name: file.name,
      limit: megabytes(most),
    });
    return { status: 413, detail, errors: { [field.name]: _("Choose a smaller file.") } };
  }
  return null;
}

/** @param {number} bytes */
function megabytes(bytes) {
  const format = new Intl.NumberFormat(language(), { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
  return format.format(bytes / 1_000_000);
}

/** @param {Event} event */
function askFirst(event) {
  event.preventDefault();
}
