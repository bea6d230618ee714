import { make } from "../ui/pieces.js";
import { filesize, timeLeft } from "./words.js";
import { _ } from "../live/texts.js";

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
    this.#bar = make("progress", { max: "100", value: "0", "aria-label": _("Progress of {name}", { name }) });
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
    const pause = button(_("Pause"), _("Pause upload of {name}", { name }), () => transfer.pause());
    const cancel = button(_("Cancel"), _("Cancel upload of {name}", { name }), () => void transfer.cancel());
    const close = button(_("Close"), _("Close the message about {name}", { name }), () => remove(transfer));
    switch (transfer.word) {
      case "waiting":
      case "checking":
        return [cancel];
      case "sending":
      case "offline":
        return [pause, cancel];
      case "paused":
        return [button(_("Resume"), _("Resume upload of {name}", { name }), () => resume(transfer)), cancel];
      case "failed":
        return [button(_("Try again"), _("Try again to upload {name}", { name }), () => resume(transfer)), cancel];
      case "known":
        return [
          ...(twin ? [link(_("Use the one there"), `/media/${twin.media_file_id}`)] : []),
          button(_("Upload anyway"), _("Upload {name} anyway", { name }), () => sendAnyway(transfer)),
          close,
        ];
      case "done":
        return [link(_("Open"), `/media/${transfer.mediaId}`), close];
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
  const amount = _("{percent} % · {sent} of {size}", {
    percent: percentOf(transfer),
    sent: filesize(sent),
    size: filesize(file.size),
  });
  const twin = same[0] ? `“${same[0].title}”` : "";
  switch (word) {
    case "waiting":
      return _("{size} · waits for its turn", { size: filesize(file.size) });
    case "sending": {
      const fast = speed.perSecond;
      const more = fast ? ` · ${filesize(fast)}/s · ${timeLeft(left_s ?? 0)}` : "";
      if (resumedAt === 0 || fast) return amount + more;
      return [amount, _("goes on from {size}", { size: filesize(resumedAt) })].join(" · ");
    }
    case "offline":
      return [amount, problem ?? _("No connection.")].join(" · ") + " " + _("It goes on by itself.");
    case "paused":
      return [amount, _("paused")].join(" · ");
    case "checking":
      return _("Sent; the file is being checked");
    case "known":
      return _("The library has this file already: {twin}. Nothing was sent.", { twin });
    case "failed":
    case "refused":
      return problem ?? _("The upload failed.");
    case "done":
      return twin ? _("In the library. It is the same file as {twin}.", { twin }) : _("In the library");
    default:
      return _("Cancelled");
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
