import { JSDOM } from "jsdom";

const NAMES = [
  "AbortController", "CharacterData", "CustomEvent", "DOMParser", "Element", "Event", "FocusEvent",
  "FormData", "KeyboardEvent", "MouseEvent", "Node", "document", "window",
];

/**
 * A page of jsdom in the place of the browser's own, until the test ends.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} html
 */
export function openPage(t, html) {
  const { window } = new JSDOM(`<!doctype html><body>${html}</body>`, {
    url: "https://coursewire.test/media?view=list",
    pretendToBeVisual: true,
  });
  window.HTMLDialogElement.prototype.showModal ??= function () {
    this.open = true;
  };
  window.HTMLDialogElement.prototype.close ??= function (value) {
    if (value !== undefined) this.returnValue = value;
    this.open = false;
    this.dispatchEvent(new window.Event("close"));
  };
  const elements = Object.getOwnPropertyNames(window).filter((name) => /^(HTML|SVG)\w*Element$/.test(name));
  const before = new Map([...NAMES, ...elements].map((name) => [name, globalThis[name]]));
  for (const name of before.keys()) globalThis[name] = window[name];
  const css = globalThis.CSS;
  globalThis.CSS = { escape: (/** @type {string} */ text) => text.replace(/[^\w-]/g, "\\$&") };
  t.after(() => {
    for (const [name, value] of before) globalThis[name] = value;
    globalThis.CSS = css;
    window.close();
  });
  return window;
}

/** A clock that a test winds. */
export class Clock {
  #now = 0;
  #next = 1;
  /** @type {Map<number, {at: number, run: () => void}>} */
  #timers = new Map();

  setTimeout = (/** @type {() => void} */ run, /** @type {number} */ ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, run });
    return this.#next++;
  };

  clearTimeout = (/** @type {number} */ id) => this.#timers.delete(id);

  /** @param {number} ms */
  pass(ms) {
    this.#now += ms;
    for (const [id, { at, run }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(id)) run();
    }
  }
}

/** Let everything run that waits for a promise. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
