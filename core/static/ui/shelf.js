/** The library beside a course (`[data-shelf]`): its rows are dragged into chapters. */

import { BOX } from "./choice.js";

/** @param {Element | null | undefined} item @returns {item is HTMLElement} */
export function isShelved(item) {
  return item instanceof HTMLElement && item.matches("[data-shelf] .shelf-row");
}

/**
 * The row that a pointer takes hold of: any pointer by the handle, a mouse anywhere but on controls.
 *
 * @param {PointerEvent} event
 * @returns {HTMLElement | null}
 */
export function shelvedAt({ target, pointerType }) {
  const row = target instanceof Element ? target.closest("[data-shelf] .shelf-row") : null;
  if (!(row instanceof HTMLElement) || !(target instanceof Element)) return null;
  const free = pointerType === "mouse" && !target.closest("a, button, input");
  return free || target.closest(".handle") ? row : null;
}

/** A chosen row is taken with all that are chosen. @param {HTMLElement} row @returns {HTMLElement[]} those on screen */
export function takenWith(row) {
  if (!boxOf(row)?.checked) return [row];
  const rows = [...(row.parentElement?.children ?? [])].filter(isShelved);
  return rows.filter((each) => boxOf(each)?.checked);
}

/** @param {HTMLElement} row @returns {number[]} its video, or all that are chosen: on other pages of the list too */
export function videosOf(row) {
  const box = boxOf(row);
  if (!box) return [];
  const chosen = box.checked && box.form ? new FormData(box.form).getAll(box.name) : [box.value];
  return chosen.map(Number);
}

/** @param {Element} row @returns {HTMLInputElement | null} */
function boxOf(row) {
  return row.querySelector(BOX);
}
