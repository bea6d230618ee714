import { closeButton, make } from "./pieces.js";
import { _ } from "../live/texts.js";

const MOST = 3;
const STAY_MS = 6000;
const LEFT = "coursewire.message";
const LEFT_UNDO = "coursewire.undo";

/** @typedef {import("./answer.js").Undo} Undo */

/**
 * @typedef {object} ToastChoices
 * @property {"problem"} [kind]
 * @property {{label: string, run: () => void}} [action]
 */

/**
 * Short messages at the edge of the page, which go by themselves. They stand in the top layer, since
 * whatever a dialog covers would be under its backdrop.
 */
export class Toasts {
  #element;
  #setTimeout;
  #clearTimeout;
  #storage;
  /** @type {Map<HTMLElement, ReturnType<typeof setTimeout> | null>} */
  #shown = new Map();
  /** @type {Element | null} */
  #before = null;

  /**
   * @param {object} outside
   * @param {HTMLElement} outside.element
   * @param {typeof globalThis.setTimeout} outside.setTimeout
   * @param {typeof globalThis.clearTimeout} outside.clearTimeout
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} outside.storage keeps a
   *   message while the page changes; null where the browser refuses one
   */
  constructor({ element, setTimeout, clearTimeout, storage }) {
    this.#element = element;
    this.#setTimeout = setTimeout;
    this.#clearTimeout = clearTimeout;
    this.#storage = storage;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    const page = this.#element.ownerDocument;
    page.addEventListener("keydown", (event) => this.#onKey(event), until);
    for (const name of ["mouseenter", "focusin"]) {
      this.#element.addEventListener(name, (event) => this.#pause(event), { ...until, capture: true });
    }
    for (const name of ["mouseleave", "focusout"]) {
      this.#element.addEventListener(name, () => this.#resume(), { ...until, capture: true });
    }
    return () => ending.abort();
  }

  /**
   * @param {string} text
   * @param {ToastChoices} [choices]
   * @returns {() => void} dismisses it
   */
  show(text, { kind, action } = {}) {
    const isProblem = kind === "problem";
    const toast = make("div", {
      class: isProblem ? "toast toast-bad" : "toast",
      role: isProblem ? "alert" : "status",
      // The announcer speaks; a message is not to be heard twice.
      "aria-live": isProblem ? "assertive" : "off",
    });
    const dismiss = () => this.#dismiss(toast);
    const closing = closeButton(_("Close message"));
    closing.addEventListener("click", dismiss);
    toast.append(make("span", {}, text), ...actionButtons(action, dismiss), closing);
    this.#element.append(toast);
    this.#raise();
    this.#shown.set(toast, null);
    for (const [oldest] of [...this.#shown].slice(0, -MOST)) this.#dismiss(oldest);
    this.#resume();
    return dismiss;
  }

  /**
   * Leave a message for the page that comes next.
   *
   * @param {string} text
   * @param {Undo | null} [undo] what takes back what the message tells
   */
  leave(text, undo = null) {
    this.#storage?.setItem(LEFT, text);
    if (undo) this.#storage?.setItem(LEFT_UNDO, JSON.stringify(undo));
  }

  /**
   * @param {(undo: Undo | null) => ToastChoices["action"]} [offer] makes the button that takes it back
   * @returns {string | null} the message that the page before left, which is shown now
   */
  showLeft(offer) {
    const text = this.#storage?.getItem(LEFT) ?? null;
    const undo = this.#storage?.getItem(LEFT_UNDO) ?? null;
    this.#storage?.removeItem(LEFT);
    this.#storage?.removeItem(LEFT_UNDO);
    const action = offer?.(undo === null ? null : JSON.parse(undo));
    if (text !== null) this.show(text, action ? { action } : {});
    return text;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const { target } = event;
    // There, Escape closes what is open around it.
    const around = target instanceof Element ? target.closest("dialog, [popover]") : null;
    if (around !== null && around !== this.#element) return;
    const newest = [...this.#shown.keys()].at(-1);
    if (newest) this.#dismiss(newest);
  }

  /** What entered the top layer last stands highest there. */
  #raise() {
    const element = this.#element;
    if (!("showPopover" in element)) return;
    element.popover = "manual";
    const isOpen = element.matches(":popover-open");
    if (isOpen && element.ownerDocument.querySelector("dialog[open]") === null) return;
    if (isOpen) element.hidePopover();
    element.showPopover();
  }

  /** @param {Event} event */
  #pause(event) {
    if (event instanceof FocusEvent && event.relatedTarget instanceof Element) {
      const { relatedTarget } = event;
      if (!this.#element.contains(relatedTarget)) this.#before = relatedTarget;
    }
    for (const [toast, timer] of this.#shown) {
      if (timer !== null) this.#clearTimeout(timer);
      this.#shown.set(toast, null);
    }
  }

  /** Start the clocks that stand, unless somebody is still there. */
  #resume() {
    if (this.#element.matches(":hover") || this.#hasFocus()) return;
    for (const [toast, timer] of this.#shown) {
      if (timer !== null) continue;
      this.#shown.set(toast, this.#setTimeout(() => this.#dismiss(toast), STAY_MS));
    }
  }

  #hasFocus() {
    return this.#element.contains(this.#element.ownerDocument.activeElement);
  }

  /** @param {HTMLElement} toast */
  #dismiss(toast) {
    const timer = this.#shown.get(toast);
    if (timer === undefined) return;
    if (timer !== null) this.#clearTimeout(timer);
    const hadFocus = toast.contains(toast.ownerDocument.activeElement);
    this.#shown.delete(toast);
    toast.remove();
    if (hadFocus) this.#handFocusOn();
    this.#resume();
  }

  #handFocusOn() {
    const next = this.#element.querySelector("button") ?? this.#before;
    if (next instanceof HTMLElement) next.focus();
  }
}

/**
 * @param {ToastChoices["action"]} action
 * @param {() => void} dismiss
 */
function actionButtons(action, dismiss) {
  if (!action) return [];
  const button = make("button", { type: "button", class: "button quiet" }, action.label);
  const run = () => {
    dismiss();
    action.run();
  };
  button.addEventListener("click", run, { once: true });
  return [button];
}
