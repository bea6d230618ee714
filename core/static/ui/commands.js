import { Stamp } from "../live/stamps.js";
import { retryAfter } from "../live/retry_after.js";
import { readAnswer } from "./answer.js";
import { isTyping } from "./keyboard.js";
import { _ } from "../live/texts.js";

/** @typedef {import("./answer.js").Undo} Undo */
/** @typedef {import("./answer.js").Done} Done */

/**
 * @typedef {object} Surroundings
 * @property {Document} root
 * @property {import("./forms.js").Store} store
 * @property {{show: (text: string, how?: import("./toasts.js").ToastChoices) => unknown}} toasts
 * @property {(text: string) => void} announce
 * @property {typeof fetch} fetch
 * @property {() => boolean} online
 * @property {() => string} newKey
 * @property {() => number} wall milliseconds since 1970
 */

const PATIENCE_MS = 30_000;
const MOST = 50;

/**
 * What is done without a form, and taken back: a button in the message, and Ctrl+Z (Ctrl+Shift+Z does
 * it again). The server says with each answer what would take it back. Once it has said that these are
 * too many, nothing is sent until the time is over that it named: a key that is held down sends dozens.
 */
export class Commands {
  #outside;
  /** @type {Undo[]} newest last */
  #undos = [];
  /** @type {Undo[]} */
  #redos = [];
  /** How many are on their way. */
  #running = 0;
  /** One after the other, so that what was done last is what is taken back first. @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** Until when nothing is sent, and what the server said. @type {{until: number, answer: import("./answer.js").Answer} | null} */
  #pause = null;

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const { root } = this.#outside;
    root.addEventListener("keydown", (event) => this.#onKey(event), { signal: ending.signal });
    return () => ending.abort();
  }

  /**
   * Do *action*, and tell what came of it.
   *
   * @param {string} action as in "chapters/move"
   * @param {Record<string, unknown>} body
   * @returns {Promise<Done | null>} null when it was refused, which was told
   */
  async run(action, body) {
    const turn = this.#queue.then(() =>
      this.#run({ action, arguments: body }, (undo) => this.#remember(undo)),
    );
    this.#queue = turn;
    return turn;
  }

  /**
   * Something was done by other ways: offer to take it back.
   *
   * @param {Undo | null | undefined} undo
   * @returns {import("./toasts.js").ToastChoices["action"]} the button for its message
   */
  offer(undo) {
    if (!undo) return undefined;
    this.#remember(undo);
    return this.#button("Undo", undo);
  }

  /** @param {Undo} undo */
  #remember(undo) {
    this.#undos = [...this.#undos, undo].slice(-MOST);
    this.#redos = [];
  }

  /**
   * @param {"Undo" | "Redo"} label
   * @param {Undo} undo
   */
  #button(label, undo) {
    return { label: label === "Undo" ? _("Undo") : _("Redo"), run: () => void this.#take(undo, label === "Undo") };
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const withCommand = (event.ctrlKey || event.metaKey) && !event.altKey;
    if (event.defaultPrevented || !withCommand || event.key.toLowerCase() !== "z") return;
    // In a field the browser takes back what was typed; behind a dialog nobody sees what changes.
    if (isTyping(event) || this.#outside.root.querySelector("dialog[open]")) return;
    event.preventDefault();
    // What was asked for before and has no answer yet comes first.
    this.#queue = this.#queue.then(() => this.#takeNewest(!event.shiftKey));
  }

  /** @param {boolean} back */
  async #takeNewest(back) {
    const undo = (back ? this.#undos : this.#redos).at(-1);
    if (undo) await this.#take(undo, back);
  }

  /**
   * @param {Undo} undo
   * @param {boolean} back whether it takes back, or does again
   */
  async #take(undo, back) {
    const before = { undos: this.#undos, redos: this.#redos };
    this.#undos = this.#undos.filter((each) => each !== undo);
    this.#redos = this.#redos.filter((each) => each !== undo);
    const done = await this.#run(undo, (next) => {
      if (back) this.#redos = [...this.#redos, next].slice(-MOST);
      else this.#undos = [...this.#undos, next].slice(-MOST);
    }, back ? "Redo" : "Undo");
    // It can be taken back later all the same.
    if (done === null && this.#paused()) [this.#undos, this.#redos] = [before.undos, before.redos];
  }

  /**
   * @param {Undo} what
   * @param {(undo: Undo) => void} keep
   * @param {"Undo" | "Redo"} [label] of the button that takes back what this does
   * @returns {Promise<Done | null>}
   */
  async #run(what, keep, label = "Undo") {
    const { store, toasts, announce, root } = this.#outside;
    this.#running += 1;
    root.documentElement.toggleAttribute("data-acting", true);
    const answer = await this.#send(what);
    this.#running -= 1;
    root.documentElement.toggleAttribute("data-acting", this.#running > 0);
    if ("problem" in answer) {
      toasts.show(answer.problem.detail, { kind: "problem" });
      return null;
    }
    const { done } = answer;
    const { undo } = done;
    if (undo) keep(undo);
    store.invalidate(done.stale, { stamp: Stamp.parse(done.stamp), own: true });
    if (done.message) {
      toasts.show(done.message, undo ? { action: this.#button(label, undo) } : {});
      announce(done.message);
    }
    return done;
  }

  /** What the server said when these were too many, as long as that holds. */
  #paused() {
    if (this.#pause && this.#outside.wall() >= this.#pause.until) this.#pause = null;
    return this.#pause;
  }

  /**
   * Sent once more, with the same key, when no answer came: the server does it once.
   *
   * @param {Undo} what
   * @returns {Promise<import("./answer.js").Answer>}
   */
  async #send(what) {
    const { fetch, online, newKey, wall } = this.#outside;
    const pause = this.#paused();
    if (pause) return pause.answer;
    const request = {
      method: "POST",
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "Idempotency-Key": newKey(),
      },
      body: JSON.stringify(what.arguments),
      credentials: /** @type {const} */ ("same-origin"),
    };
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const response = await fetch(`/a/${what.action}`, { ...request, signal });
        const answer = readAnswer(response.status, response.headers.get("Content-Type"), await response.text());
        if (response.status === 429) this.#pause = { until: wall() + retryAfter(response, wall()), answer };
        return answer;
      } catch {
        if (!online()) break;
      }
    }
    const detail = online()
      ? _("The server cannot be reached. Nothing was saved as far as we know; try again.")
      : _("You are offline. Nothing was saved as far as we know; try again.");
    return { problem: { status: 0, detail } };
  }
}
