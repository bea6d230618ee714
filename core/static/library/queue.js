/** @typedef {import("./transfer.js").Transfer} Transfer */

const AT_ONCE = 2;

/** Transfers in the order in which they came, two at a time. */
export class Queue {
  /** @type {Transfer[]} */
  #waiting = [];
  #running = 0;

  /** @param {Transfer} transfer */
  add(transfer) {
    this.#waiting.push(transfer);
    this.#next();
  }

  /**
   * Go on with one that stood still; who asks for it does not wait for a turn.
   *
   * @param {() => Promise<void>} go
   */
  async resume(go) {
    this.#running += 1;
    await go();
    this.#running -= 1;
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE) {
      const transfer = this.#waiting.shift();
      if (!transfer) return;
      if (transfer.word === "waiting") void this.resume(() => transfer.run());
    }
  }
}
