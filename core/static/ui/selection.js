import { isAlone, isTyping } from "./keyboard.js";
import { BOX, benchOf, boxOf, chosenIn, isRow, itemOf, rowsOf } from "./rows.js";
import { ngettext } from "../live/texts.js";

/**
 * Choosing several videos of a course: with Shift, all from the one before to this one; with the arrow
 * keys from row to row. What is chosen is a form like any other, so it works without this too.
 */
export class Selection {
  #root;
  #announce;
  /** @type {string} the id of the row chosen last */
  #last = "";

  /** @param {{root: Document | HTMLElement, announce: (text: string) => void}} outside */
  constructor({ root, announce }) {
    this.#root = root;
    this.#announce = announce;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    const root = this.#root;
    root.addEventListener("click", (event) => this.#onClick(/** @type {MouseEvent} */ (event)), until);
    root.addEventListener("change", (event) => this.#count(benchOf(event.target)), until);
    root.addEventListener("keydown", (event) => this.#onKey(/** @type {KeyboardEvent} */ (event)), until);
    root.addEventListener("form:done", (event) => this.#onDone(event), until);
    root.addEventListener("live:updated", (event) => this.#onUpdated(event), until);
    return () => ending.abort();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const { target } = event;
    if (!(target instanceof Element)) return;
    const bench = benchOf(target);
    if (bench && target.closest("[data-choose-none]")) this.#clear(bench);
    if (!(target instanceof HTMLInputElement) || !target.matches(BOX) || !bench) return;
    const row = itemOf(target);
    if (!row) return;
    if (event.shiftKey) this.#extend(bench, row, target.checked);
    this.#last = row.id;
  }

  /**
   * @param {HTMLElement} bench
   * @param {HTMLElement} row
   * @param {boolean} checked
   */
  #extend(bench, row, checked) {
    const rows = rowsOf(bench);
    const from = rows.findIndex((each) => each.id === this.#last);
    const to = rows.indexOf(row);
    if (from < 0) return;
    for (const each of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) tick(each, checked);
    this.#count(bench);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { target, key } = event;
    const bench = benchOf(target);
    if (event.defaultPrevented || !bench || isTyping(event)) return;
    if (!(target instanceof Element) || target.closest("[popover], dialog")) return;
    if (key === "Escape" && chosenIn(bench).length > 0) {
      this.#clear(bench);
      event.preventDefault();
    }
    if (key !== "ArrowDown" && key !== "ArrowUp") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = itemOf(target);
    if (!row || !isRow(row)) return;
    event.preventDefault();
    this.#step(bench, row, key === "ArrowDown" ? 1 : -1, isAlone(event), target);
  }

  /**
   * @param {HTMLElement} bench
   * @param {HTMLElement} row
   * @param {1 | -1} by
   * @param {boolean} alone otherwise, with Shift, what is passed is chosen
   * @param {Element} from the control that has the focus
   */
  #step(bench, row, by, alone, from) {
    const rows = rowsOf(bench);
    const next = rows[rows.indexOf(row) + by];
    if (!next) return;
    const same = from.classList[0] ? next.querySelector(`.${CSS.escape(from.classList[0])}`) : null;
    const to = same instanceof HTMLElement ? same : boxOf(next);
    to?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    if (alone) return;
    tick(row, true);
    tick(next, true);
    this.#last = next.id;
    this.#count(bench);
  }

  /** @param {HTMLElement} bench */
  #clear(bench) {
    const bar = bench.querySelector(".selection");
    const focusInBar = bar?.contains(document.activeElement);
    const [first] = chosenIn(bench);
    for (const row of chosenIn(bench)) tick(row, false);
    this.#count(bench);
    if (focusInBar && first) boxOf(first)?.focus();
  }

  /** What was done to them is done. @param {Event} event */
  #onDone({ target }) {
    const form = target instanceof HTMLFormElement ? target : null;
    const isOurs = form?.id === "selection" || form?.hasAttribute("data-moves-chosen");
    const bench = isOurs ? document.querySelector("[data-workbench]") : null;
    if (bench instanceof HTMLElement) this.#clear(bench);
  }

  /** @param {Event} event */
  #onUpdated({ target }) {
    const bench = target instanceof Element ? target.querySelector("[data-workbench]") : null;
    if (bench instanceof HTMLElement) this.#count(bench, false);
  }

  /**
   * @param {HTMLElement | null} bench
   * @param {boolean} [aloud]
   */
  #count(bench, aloud = true) {
    const place = bench?.querySelector("[data-chosen]");
    if (!bench || !place) return;
    const { length } = chosenIn(bench);
    const text = ngettext("{num} video chosen", "{num} videos chosen", length);
    if (place.textContent === text) return;
    place.textContent = text;
    if (aloud) this.#announce(text);
  }
}

/** @param {HTMLElement} row @param {boolean} checked */
function tick(row, checked) {
  const box = boxOf(row);
  if (box) box.checked = checked;
}
