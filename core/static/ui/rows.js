/** The rows of a workbench (`[data-workbench]`): videos in chapters, and the chapters themselves. */

export const BOX = "input.row-choose";

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
export function benchOf(target) {
  return target instanceof Element ? target.closest("[data-workbench]") : null;
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} the video's row, or else the chapter */
export function itemOf(target) {
  if (!(target instanceof Element)) return null;
  return target.closest("[data-workbench] .videos > li") ?? target.closest("[data-workbench] .chapter-list > li");
}

/** @param {Element} item */
export function isRow(item) {
  return item.parentElement?.classList.contains("videos") ?? false;
}

/** @param {Element} bench @returns {HTMLElement[]} every video's row, as they stand on the page */
export function rowsOf(bench) {
  return [...bench.querySelectorAll(".videos > li")].filter((each) => each instanceof HTMLElement);
}

/** The number in `id="link-42"`. @param {Element | null | undefined} item @returns {number | null} */
export function numberOf(item) {
  const number = Number(item?.id.split("-").at(-1));
  return item && Number.isInteger(number) ? number : null;
}

/** @param {Element} item @returns {string} what people call it */
export function titleOf(item) {
  return item.querySelector("bdi")?.textContent?.trim() ?? "";
}

/** @param {Element} row @returns {HTMLInputElement | null} */
export function boxOf(row) {
  return row.querySelector(BOX);
}

/** @param {Element} bench @returns {HTMLElement[]} the rows that are chosen */
export function chosenIn(bench) {
  return rowsOf(bench).filter((row) => boxOf(row)?.checked);
}
