/**
 * Opens the inspector when somebody asks for it (Alt+Shift+L, `?live=inspect`, or a button with
 * `data-inspect`), and marks what the freshness guard has found. Both are loaded only then: other
 * pages do not pay for them.
 *
 * Pages of those who may look say so (`<body data-live-inspect>`); it is the server that decides.
 */

import { isTyping } from "../ui/keyboard.js";

const OPEN = "coursewire.inspect";

/** @typedef {import("../inspect/inspector.js").Inspector} Inspector */

/**
 * @typedef {object} Outside
 * @property {Document} document
 * @property {URLSearchParams} query of the page's address
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} storage keeps it open while
 *   the page changes; null where the browser refuses one
 * @property {import("./signal.js").Signal<import("./frames.js").Frame>} frames
 * @property {() => Promise<Inspector>} load
 * @property {() => Promise<typeof import("../inspect/mark.js")>} loadMark
 */

export class Inspection {
  #outside;

  /** @type {Promise<Inspector> | null} */
  #inspector = null;

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  start() {
    const { document, query, storage, frames } = this.#outside;
    frames.subscribe((frame) => void (frame.event === "finding" && this.#mark(frame)));
    if (!("liveInspect" in document.body.dataset)) return;
    document.addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("[data-inspect]") : null;
      if (button === null) return;
      /** @type {HTMLElement | null} */ (button.closest("[popover]"))?.hidePopover();
      void this.#open();
    });
    document.addEventListener("inspect:closed", () => storage?.removeItem(OPEN));
    if (query.get("live") === "inspect" || storage?.getItem(OPEN)) void this.#open();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // By its place: with Alt and Shift some keyboards make another letter of it.
    const isIt = event.code === "KeyL" && event.altKey && event.shiftKey && !event.ctrlKey && !event.metaKey;
    if (!isIt || event.defaultPrevented || isTyping(event)) return;
    event.preventDefault();
    void this.#toggle();
  }

  async #toggle() {
    const inspector = await this.#load();
    if (inspector.isOpen) inspector.close();
    else await this.#open();
  }

  async #open() {
    const inspector = await this.#load();
    this.#outside.storage?.setItem(OPEN, "1");
    inspector.open();
  }

  #load() {
    this.#inspector ??= this.#outside.load();
    return this.#inspector;
  }

  /** @param {import("./frames.js").Finding} finding */
  async #mark(finding) {
    const { mark } = await this.#outside.loadMark();
    mark(this.#outside.document, finding);
  }
}
