import { readAnswer } from "./answer.js";
import { make } from "./pieces.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("./submission.js").Submission} Submission */

/** Sends forms that carry a file, and shows how far it is. */
export class Upload {
  #newRequest;
  #window;
  #running = 0;

  /**
   * @param {{newRequest: () => XMLHttpRequest, window: Pick<Window, "addEventListener" | "removeEventListener">}} outside
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

/** The bar of one upload, its percentage in words, and the way to call it off. */
class UploadBar {
  #bar;
  #isOurs;
  #row;
  #words = make("span", { class: "hint" }, "Starting");

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} cancel
   */
  constructor(form, cancel) {
    const found = form.querySelector("progress");
    this.#isOurs = found === null;
    this.#bar = found ?? make("progress", { max: "100", "aria-label": "Upload progress", "data-live-aside": true });
    const button = make("button", { type: "button", class: "button quiet" }, "Cancel upload");
    button.addEventListener("click", cancel);
    this.#row = make("p", { class: "upload-state", "data-live-aside": true }, this.#words, " ", button);
    if (this.#isOurs) form.append(this.#bar);
    this.#bar.after(this.#row);
    this.#bar.max = 100;
    this.#bar.value = 0;
    this.#bar.hidden = false;
  }

  /**
   * @param {number} loaded bytes
   * @param {number} total bytes
   */
  show(loaded, total) {
    const percent = total > 0 ? Math.floor((loaded / total) * 100) : 0;
    this.#bar.value = percent;
    this.#words.textContent = percent < 100 ? `${percent} % sent` : "Sent; the file is being checked";
  }

  remove() {
    this.#row.remove();
    if (this.#isOurs) this.#bar.remove();
    else this.#bar.hidden = true;
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
    request.addEventListener("error", () => reject(new TypeError("The upload failed.")));
    request.addEventListener("abort", () => reject(new DOMException("Cancelled.", "AbortError")));
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(data);
  });
}

/** @param {Event} event */
function askFirst(event) {
  event.preventDefault();
}
