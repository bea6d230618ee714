import { move } from "../live/move.js";
import { Stamp } from "../live/stamps.js";
import { Drag } from "./drag.js";
import { Held } from "./held.js";
import { isTyping } from "./keyboard.js";
import { benchOf, boxOf, chosenIn, isRow, itemOf, numberOf } from "./rows.js";
import { isShelved, videosOf } from "./shelf.js";

/** @typedef {import("./drag.js").Place} Place */

/**
 * @typedef {object} Surroundings
 * @property {Document} root
 * @property {import("./commands.js").Commands} commands
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 */

/**
 * Puts videos and chapters elsewhere: by dragging, from the library too, and with Alt and the arrow keys. The page shows it
 * at once; when the server refuses, everything goes back, and its reason is told.
 */
export class Arrange {
  #outside;
  #held;
  #drag;

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
    this.#held = new Held(outside);
    this.#drag = new Drag({
      root: outside.root,
      drop: (items, place) => (isShelved(items[0]) ? this.#link(items[0], place) : this.#put(items, place)),
    });
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    const { root } = this.#outside;
    const stop = this.#drag.bind();
    root.addEventListener("keydown", (event) => this.#onKey(event), until);
    root.addEventListener("live:before-update", (event) => this.#onUpdate(/** @type {CustomEvent} */ (event)), until);
    return () => {
      stop();
      ending.abort();
    };
  }

  /** @param {CustomEvent} event */
  #onUpdate({ target, detail }) {
    if (target instanceof Element) this.#held.meet(target, detail.stamp);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { target, key } = event;
    const bench = benchOf(target);
    if (event.defaultPrevented || !bench || isTyping(event)) return;
    if (!(target instanceof Element) || target.closest("[popover], dialog")) return;
    const item = itemOf(target);
    if (!item) return;
    const isMove = event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (isMove && (key === "ArrowUp" || key === "ArrowDown")) {
      event.preventDefault();
      const items = together(bench, item);
      const place = key === "ArrowUp" ? above(items) : below(items);
      if (place) this.#put(items, place);
    } else if (key === "Delete" && !isMove && isRow(item)) {
      event.preventDefault();
      this.#unlink(bench, together(bench, item));
    }
  }

  /**
   * @param {HTMLElement} bench
   * @param {HTMLElement[]} rows
   */
  #unlink(bench, rows) {
    const body = { course_id: Number(bench.dataset["workbench"]), link_ids: rows.map(numberOf) };
    void this.#outside.commands.run("chapters/unlink-several", body);
  }

  /**
   * @param {HTMLElement} row of the library
   * @param {Place} place
   */
  #link(row, { list, before }) {
    const body = {
      chapter_id: numberOf(list.closest(".chapter")),
      media_ids: videosOf(row),
      before_link_id: numberOf(before),
    };
    void this.#outside.commands.run("chapters/link-media", body).then((done) => {
      if (done) row.dispatchEvent(new Event("picker:done", { bubbles: true }));
    });
  }

  /**
   * @param {HTMLElement[]} items
   * @param {Place} place
   */
  #put(items, { list, before }) {
    const [first] = items;
    if (!first || !differs(items, list, before)) return;
    const was = items.map((item) => ({ item, parent: item.parentElement, next: item.nextElementSibling }));
    const send = this.#request(items, list, before);
    const focused = items.find((item) => item.contains(document.activeElement)) && document.activeElement;
    this.#held.hold(items);
    for (const item of items) move(list, item, before);
    if (focused instanceof HTMLElement && document.activeElement !== focused) focused.focus({ preventScroll: true });
    first.scrollIntoView({ block: "nearest" });
    void send().then((done) => {
      if (done === null) for (const { item, parent, next } of was.reverse()) back(item, parent, next);
      this.#held.settle(done && Stamp.parse(done.stamp));
    });
  }

  /**
   * @param {HTMLElement[]} items
   * @param {Element} list
   * @param {Element | null} before
   */
  #request([first, ...more], list, before) {
    const { commands } = this.#outside;
    const items = first ? [first, ...more] : [];
    if (first && !isRow(first)) {
      const after = before ? before.previousElementSibling : list.lastElementChild;
      const after_chapter_id = numberOf(after === first ? first.previousElementSibling : after);
      const body = { chapter_id: numberOf(first), after_chapter_id };
      return () => commands.run("chapters/move", body);
    }
    const body = {
      course_id: Number(benchOf(list)?.dataset["workbench"]),
      link_ids: items.map(numberOf),
      chapter_id: numberOf(list.closest(".chapter")),
      before_link_id: numberOf(before),
    };
    return () => commands.run("chapters/move-several", body);
  }
}

/** A chosen row moves with all that are chosen. @param {HTMLElement} bench @param {HTMLElement} item */
export function together(bench, item) {
  return isRow(item) && boxOf(item)?.checked ? chosenIn(bench) : [item];
}

/** @param {HTMLElement[]} items @returns {Place | null} one step up, into the chapter before at the first */
function above(items) {
  const [first] = items;
  const list = first?.parentElement;
  if (!first || !list) return null;
  const before = first.previousElementSibling;
  if (before) return { list, before };
  const other = isRow(first) ? first.closest(".chapter")?.previousElementSibling?.querySelector(".videos") : null;
  return other ? { list: other, before: null } : null;
}

/** @param {HTMLElement[]} items @returns {Place | null} */
function below(items) {
  const last = items.at(-1);
  const list = last?.parentElement;
  if (!last || !list) return null;
  const next = last.nextElementSibling;
  if (next) return { list, before: next.nextElementSibling };
  const other = isRow(last) ? last.closest(".chapter")?.nextElementSibling?.querySelector(".videos") : null;
  return other ? { list: other, before: other.firstElementChild } : null;
}

/**
 * Whether they stand elsewhere then.
 *
 * @param {HTMLElement[]} items
 * @param {Element} list
 * @param {Element | null} before
 */
function differs(items, list, before) {
  const now = [...list.children];
  const rest = now.filter((each) => !items.some((item) => item === each));
  const at = before ? rest.indexOf(before) : rest.length;
  const then = [...rest.slice(0, at), ...items, ...rest.slice(at)];
  return then.length !== now.length || then.some((each, i) => each !== now[i]);
}

/**
 * @param {HTMLElement} item
 * @param {Element | null} parent
 * @param {Element | null} next
 */
function back(item, parent, next) {
  if (parent?.isConnected) move(parent, item, next?.parentElement === parent ? next : null);
}
