import { make } from "./pieces.js";
import { benchOf, boxOf, chosenIn, isRow, itemOf, titleOf } from "./rows.js";
import { isShelved, shelvedAt, takenWith, videosOf } from "./shelf.js";
import { ngettext } from "../live/texts.js";

/** @typedef {{list: Element, before: Element | null}} Place in front of what, or at the end of a list */

/**
 * @typedef {object} Surroundings
 * @property {Document} root
 * @property {(items: HTMLElement[], place: Place) => void} drop
 */

const FAR_PX = 5;
const EDGE_PX = 72;
const FASTEST_PX = 18;

/**
 * @typedef {object} Grip what the pointer holds
 * @property {HTMLElement[]} items
 * @property {number} count of videos or chapters; some of the chosen ones may not be on screen
 * @property {HTMLElement} bench
 */

/**
 * Dragging by a handle with any pointer. A line marks where what is dragged would stand; near the edge
 * of the window the page scrolls; Escape gives up.
 */
export class Drag {
  #outside;
  /** @type {Grip & {pointer: number, from: {x: number, y: number}, began: boolean} | null} */
  #held = null;
  #at = { x: 0, y: 0 };
  /** @type {Place | null} */
  #place = null;
  #frame = 0;
  #mark = make("div", { class: "drop-mark", hidden: true });
  #ghost = make("div", { class: "drag-ghost", hidden: true });
  #ending = new AbortController();

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const { root } = this.#outside;
    const bound = new AbortController();
    root.addEventListener("pointerdown", (event) => this.#onDown(event), { signal: bound.signal });
    return () => bound.abort();
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    const { button, pointerId, clientX, clientY } = event;
    const grip = gripOf(event) ?? gripOnShelf(event);
    if (!grip || button !== 0 || event.shiftKey || this.#held) return;
    event.preventDefault();
    this.#held = { ...grip, pointer: pointerId, from: { x: clientX, y: clientY }, began: false };
    this.#at = { x: clientX, y: clientY };
    this.#ending = new AbortController();
    const until = { signal: this.#ending.signal };
    const { root } = this.#outside;
    root.addEventListener("pointermove", (moved) => this.#onMove(moved), until);
    root.addEventListener("pointerup", (up) => this.#onUp(up), until);
    root.addEventListener("pointercancel", () => this.#end(), until);
    root.addEventListener("keydown", (key) => this.#onKey(key), { ...until, capture: true });
  }

  /** @param {PointerEvent} event */
  #onMove({ pointerId, clientX, clientY }) {
    const held = this.#held;
    if (held?.pointer !== pointerId) return;
    this.#at = { x: clientX, y: clientY };
    if (!held.began && Math.hypot(clientX - held.from.x, clientY - held.from.y) < FAR_PX) return;
    if (!held.began) this.#begin(held);
    held.began = true;
    this.#follow();
  }

  /** @param {PointerEvent} event */
  #onUp({ pointerId }) {
    const held = this.#held;
    if (held?.pointer !== pointerId) return;
    if (held.began) this.#follow();
    const place = this.#place;
    const { drop } = this.#outside;
    // Only then are the updates let in that came meanwhile: they meet what was dropped.
    if (held.began && place) drop(held.items, place);
    this.#end();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.#end();
  }

  /** @param {Grip} grip */
  #begin({ items, count, bench }) {
    for (const item of items) item.dataset["dragging"] = "";
    const [first] = items;
    const title = first ? titleOf(first) : "";
    this.#ghost.textContent = count === 1 ? title : ngettext("{num} video", "{num} videos", count);
    // Where it may be dropped, nothing moves under the pointer.
    if (isShelved(first)) bench.dataset["dragging"] = "over";
    document.body.append(this.#mark, this.#ghost);
    this.#ghost.hidden = false;
    document.documentElement.toggleAttribute("data-drags", true);
    this.#frame = requestAnimationFrame(() => this.#scroll());
  }

  #end() {
    const held = this.#held;
    this.#held = null;
    this.#place = null;
    this.#ending.abort();
    cancelAnimationFrame(this.#frame);
    document.documentElement.toggleAttribute("data-drags", false);
    this.#mark.remove();
    this.#ghost.remove();
    this.#show(null);
    for (const item of held?.items ?? []) if (item.dataset["dragging"] === "") delete item.dataset["dragging"];
    delete held?.bench.dataset["dragging"];
  }

  #scroll() {
    const { x, y } = this.#at;
    const height = document.documentElement.clientHeight;
    const { left, right } = this.#held?.bench.getBoundingClientRect() ?? { left: 0, right: 0 };
    const beside = x < left || x > right;
    const near = beside ? 0 : y < EDGE_PX ? y - EDGE_PX : y > height - EDGE_PX ? y - height + EDGE_PX : 0;
    if (near !== 0) {
      window.scrollBy({ top: (near / EDGE_PX) * FASTEST_PX, behavior: "instant" });
      this.#follow();
    }
    this.#frame = requestAnimationFrame(() => this.#scroll());
  }

  #follow() {
    const held = this.#held;
    if (!held) return;
    const { x, y } = this.#at;
    this.#ghost.style.transform = `translate(${x + 12}px, ${y + 12}px)`;
    this.#place = placeAt(held.items, x, y);
    this.#show(this.#place);
  }

  /** @param {Place | null} place */
  #show(place) {
    for (const target of document.querySelectorAll("[data-drop]")) target.removeAttribute("data-drop");
    this.#mark.hidden = place === null;
    if (place === null) return;
    place.list.closest(".chapter")?.toggleAttribute("data-drop", place.list.classList.contains("videos"));
    const { left, width, y } = lineOf(place);
    Object.assign(this.#mark.style, { insetInlineStart: "", left: `${left}px`, top: `${y - 1}px`, width: `${width}px` });
  }
}

/** @param {PointerEvent} event @returns {Grip | null} */
function gripOf({ target }) {
  const handle = target instanceof Element ? target.closest(".handle") : null;
  const item = itemOf(handle);
  const bench = benchOf(handle);
  if (!item || !bench) return null;
  const items = isRow(item) && boxOf(item)?.checked ? chosenIn(bench) : [item];
  return { items, count: items.length, bench };
}

/** @param {PointerEvent} event @returns {Grip | null} */
function gripOnShelf(event) {
  const row = shelvedAt(event);
  const bench = document.querySelector("[data-workbench]");
  if (!row || !(bench instanceof HTMLElement)) return null;
  // The row under the pointer first: it says what is taken.
  const items = [row, ...takenWith(row).filter((each) => each !== row)];
  return { items, count: videosOf(row).length, bench };
}

/**
 * @param {HTMLElement[]} items
 * @param {number} x
 * @param {number} y
 * @returns {Place | null}
 */
function placeAt(items, x, y) {
  const [first] = items;
  if (!first) return null;
  const inside = document.elementFromPoint(x, y);
  const chapter = inside?.closest("[data-workbench] .chapter");
  const list = isRow(first) || isShelved(first)
    ? (chapter?.querySelector(".videos") ?? null)
    : (inside?.closest("[data-workbench]")?.querySelector(".chapter-list") ?? null);
  if (!list) return null;
  const others = [...list.children].filter((each) => !items.some((item) => item === each));
  const before = others.find((each) => {
    const { top, height } = each.getBoundingClientRect();
    return y < top + height / 2;
  });
  return { list, before: before ?? null };
}

/** Where the mark stands. @param {Place} place */
function lineOf({ list, before }) {
  const last = list.lastElementChild;
  const box = (before ?? last ?? list).getBoundingClientRect();
  const { left, width } = list.children.length > 0 ? box : (list.closest(".chapter") ?? list).getBoundingClientRect();
  const gap = list.classList.contains("videos") ? 0 : 8;
  if (before) return { left, width, y: box.top - gap };
  if (last) return { left, width, y: box.bottom + gap };
  const head = list.closest(".chapter")?.querySelector(".chapter-head")?.getBoundingClientRect();
  return { left, width, y: head?.bottom ?? box.top };
}
