import { make } from "../ui/pieces.js";
import { filesize, timeLeft } from "./words.js";

/** @typedef {import("./transfer.js").Transfer} Transfer */

/**
 * What somebody can ask of a transfer.
 *
 * @typedef {object} Ways
 * @property {(transfer: Transfer) => void} resume
 * @property {(transfer: Transfer) => void} sendAnyway
 * @property {(transfer: Transfer) => void} remove from the tray
 */

/** One file in the tray: its bar, how fast it goes, and what can be done about it. */
export class TrayRow {
  element;
  #transfer;
  #ways;
  #bar;
  #words = make("p", { class: "hint tray-words" });
  #tools = make("div", { class: "tray-tools" });
  #shown = "";

  /**
   * @param {Transfer} transfer
   * @param {Ways} ways
   */
  constructor(transfer, ways) {
    this.#transfer = transfer;
    this.#ways = ways;
    const { name } = transfer.file;
    this.#bar = make("progress", { max: "100", value: "0", "aria-label": `Progress of ${name}` });
    this.element = make("li", { class: "tray-row" }, make("p", { class: "tray-name" }, make("bdi", {}, name)), this.#bar, this.#words, this.#tools);
    transfer.changed.subscribe(() => this.show());
    this.show();
  }

  show() {
    const transfer = this.#transfer;
    this.#bar.value = percentOf(transfer);
    this.#words.textContent = inWords(transfer);
    if (this.#shown === transfer.word) return;
    const hadFocus = this.#tools.contains(document.activeElement);
    this.#shown = transfer.word;
    this.element.dataset["state"] = transfer.word;
    this.#tools.replaceChildren(...this.#buttons());
    if (hadFocus) /** @type {HTMLElement | null} */ (this.#tools.firstElementChild)?.focus();
  }

  /** @returns {HTMLElement[]} */
  #buttons() {
    const transfer = this.#transfer;
    const { resume, sendAnyway, remove } = this.#ways;
    const { name } = transfer.file;
    const twin = transfer.same[0];
    const pause = button("Pause", `Pause upload of ${name}`, () => transfer.pause());
    const cancel = button("Cancel", `Cancel upload of ${name}`, () => void transfer.cancel());
    const close = button("Close", `Close the message about ${name}`, () => remove(transfer));
    switch (transfer.word) {
      case "waiting":
      case "checking":
        return [cancel];
      case "sending":
      case "offline":
        return [pause, cancel];
      case "paused":
        return [button("Resume", `Resume upload of ${name}`, () => resume(transfer)), cancel];
      case "failed":
        return [button("Try again", `Try again to upload ${name}`, () => resume(transfer)), cancel];
      case "known":
        return [
          ...(twin ? [link("Use the one there", `/media/${twin.media_file_id}`)] : []),
          button("Upload anyway", `Upload ${name} anyway`, () => sendAnyway(transfer)),
          close,
        ];
      case "done":
        return [link("Open", `/media/${transfer.mediaId}`), close];
      default:
        return [close];
    }
  }
}

/** @param {Transfer} transfer */
export function percentOf({ word, sent, file }) {
  if (word === "done" || word === "checking") return 100;
  return file.size > 0 ? Math.floor((sent / file.size) * 100) : 0;
}

/**
 * @param {Transfer} transfer
 * @returns {string}
 */
function inWords(transfer) {
  const { word, problem, sent, file, speed, left_s, same, resumedAt } = transfer;
  const amount = `${percentOf(transfer)} % · ${filesize(sent)} of ${filesize(file.size)}`;
  const twin = same[0] ? `“${same[0].title}”` : "";
  switch (word) {
    case "waiting":
      return `${filesize(file.size)} · waits for its turn`;
    case "sending": {
      const fast = speed.perSecond;
      const more = fast ? ` · ${filesize(fast)}/s · ${timeLeft(left_s ?? 0)}` : "";
      const from = resumedAt > 0 && !fast ? ` · goes on from ${filesize(resumedAt)}` : "";
      return amount + more + from;
    }
    case "offline":
      return `${amount} · ${problem ?? "No connection."} It goes on by itself.`;
    case "paused":
      return `${amount} · paused`;
    case "checking":
      return "Sent; the file is being checked";
    case "known":
      return `The library has this file already: ${twin}. Nothing was sent.`;
    case "failed":
      return problem ?? "The upload failed.";
    case "done":
      return twin ? `In the library. It is the same file as ${twin}.` : "In the library";
    default:
      return "Cancelled";
  }
}

/**
 * @param {string} text
 * @param {string} label
 * @param {() => void} run
 */
function button(text, label, run) {
  const made = make("button", { type: "button", class: "button quiet", "aria-label": label }, text);
  made.addEventListener("click", run);
  return made;
}

/**
 * @param {string} text
 * @param {string} href
 */
function link(text, href) {
  return make("a", { class: "button quiet", href }, text);
}
