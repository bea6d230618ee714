/** The regions of a page, as an inspector looks at them. */

const SHOWN_MS = 2_000;

/**
 * @param {ParentNode} root
 * @returns {Map<string, HTMLElement[]>} those of each key, in the order of the page
 */
export function regionsOf(root) {
  /** @type {Map<string, HTMLElement[]>} */
  const found = new Map();
  for (const region of root.querySelectorAll("live-region[key]")) {
    if (!(region instanceof HTMLElement)) continue;
    const key = region.getAttribute("key") ?? "";
    found.set(key, [...(found.get(key) ?? []), region]);
  }
  return found;
}

/**
 * Shows where the regions of a key are, for two seconds.
 *
 * @param {readonly HTMLElement[]} regions
 * @param {import("../live/clock.js").Clock} clock
 */
export function point(regions, clock) {
  regions[0]?.scrollIntoView({ block: "center" });
  for (const region of regions) region.dataset["inspected"] = "";
  clock.after(SHOWN_MS, () => {
    for (const region of regions) delete region.dataset["inspected"];
  });
}
