import { make } from "../ui/pieces.js";
import { percentOf, TrayRow } from "./tray_row.js";
import { _ } from "../live/texts.js";

/** @typedef {import("./transfer.js").Transfer} Transfer */
/** @typedef {import("./queue.js").Queue} Queue */

/** The files that are on their way from this page, at its edge. */
export class Tray {
  #queue;
  #list = make("ul", { class: "tray-list" });
  #summary = make("p", { class: "tray-summary" });
  #status = make("p", { class: "visually-hidden", role: "status" });
  #element;
  /** @type {Map<Transfer, TrayRow>} */
  #rows = new Map();
  #told = new WeakMap();

  /** @param {{queue: Queue, parent: HTMLElement}} outside */
  constructor({ queue, parent }) {
    this.#queue = queue;
    const heading = make("h2", { id: "tray-title" }, _("Uploads"));
    const head = make("div", { class: "tray-head" }, heading, this.#summary);
    this.#element = make("section", { class: "tray", "aria-labelledby": "tray-title", hidden: true }, head, this.#list, this.#status);
    parent.append(this.#element);
  }

  /** @param {Transfer} transfer */
  add(transfer) {
    const row = new TrayRow(transfer, {
      resume: (asked) => void this.#queue.resume(() => asked.run()),
      sendAnyway: (asked) => void this.#queue.resume(() => asked.sendAnyway()),
      remove: (asked) => this.#remove(asked),
    });
    this.#rows.set(transfer, row);
    this.#list.append(row.element);
    transfer.changed.subscribe(() => this.#show(transfer));
    this.#queue.add(transfer);
    this.#element.hidden = false;
    this.#show(transfer);
  }

  /** Whether something would stop if the page were left. */
  get busy() {
    return [...this.#rows.keys()].some((transfer) => transfer.busy);
  }

  /** @param {Transfer} transfer */
  #remove(transfer) {
    this.#rows.get(transfer)?.element.remove();
    this.#rows.delete(transfer);
    this.#element.hidden = this.#rows.size === 0;
  }

  /** @param {Transfer} changed */
  #show(changed) {
    if (changed.word === "cancelled") this.#remove(changed);
    const all = [...this.#rows.keys()];
    const total = all.reduce((sum, { file }) => sum + file.size, 0);
    const done = all.reduce((sum, each) => sum + (percentOf(each) / 100) * each.file.size, 0);
    const ready = all.filter(({ word }) => word === "done").length;
    this.#summary.textContent = _("{ready} of {count} done · {percent} %", {
      ready,
      count: all.length,
      percent: total > 0 ? Math.floor((done / total) * 100) : 0,
    });
    this.#tell(changed);
  }

  /**
   * Say the end of each, and what needs somebody; not every percent.
   *
   * @param {Transfer} transfer
   */
  #tell(transfer) {
    const { word, file, problem } = transfer;
    if (this.#told.get(transfer) === word) return;
    this.#told.set(transfer, word);
    if (word === "done") this.#status.textContent = _("“{name}” is in the library.", { name: file.name });
    if (word === "failed" || word === "refused") {
      const what = _("“{name}” was not uploaded.", { name: file.name });
      this.#status.textContent = `${what} ${problem ?? ""}`;
    }
    if (word === "known") this.#status.textContent = _("The library has “{name}” already.", { name: file.name });
  }
}
