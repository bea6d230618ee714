/**
 * "Pause live updates" (WCAG 2.2.2): nothing moves by itself until somebody goes on. It holds for the
 * tab, from page to page.
 */

import { Signal } from "./signal.js";

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Memory */
/** @typedef {{isOn: boolean, waiting: number}} Report `waiting`: how many changes of others */

const KEPT = "coursewire.paused";

export class Pause {
  #store;
  #memory;
  #waiting = 0;

  /** @type {Signal<Report>} */
  changed = new Signal();

  /**
   * @param {Pick<import("./store.js").Store, "hold" | "release" | "isHeld" | "waiting">} store
   * @param {Memory | null} memory null where the browser refuses one
   */
  constructor(store, memory) {
    this.#store = store;
    this.#memory = memory;
    if (memory?.getItem(KEPT)) store.hold();
    store.waiting.subscribe((count) => {
      this.#waiting = count;
      this.changed.emit(this.report);
    });
  }

  /** @returns {Report} */
  get report() {
    return { isOn: this.#store.isHeld, waiting: this.#waiting };
  }

  toggle() {
    if (this.#store.isHeld) {
      this.#memory?.removeItem(KEPT);
      this.#store.release();
    } else {
      this.#memory?.setItem(KEPT, "yes");
      this.#store.hold();
    }
    this.changed.emit(this.report);
  }
}
