import { closeButton, icon, make } from "../ui/pieces.js";
import { paragraphs } from "./finding.js";
import { style } from "./inspector.js";
import { regionsOf } from "./regions.js";

/**
 * Marks the regions that the freshness guard has proven to be stale, each where it stands, with what
 * to write. A morph lets it be; what closes it is the developer.
 *
 * @param {Document} document
 * @param {{key: string, text: string}} finding
 */
export function mark(document, { key, text }) {
  style(document);
  for (const region of regionsOf(document).get(key) ?? []) {
    const known = [...region.querySelectorAll(":scope > .stale-mark")];
    const made = drawn(key, text);
    // Each write that shows the same mistake is told of; one mark is enough.
    for (const old of known) if (old.textContent === made.textContent) old.remove();
    region.prepend(made);
  }
}

/**
 * @param {string} key
 * @param {string} text of the finding: a sentence, what was seen, and lines to write
 */
function drawn(key, text) {
  const closing = closeButton(`Dismiss what is said of ${key}`);
  const made = make(
    "div",
    { class: "stale-mark", role: "alert", "data-live-aside": true },
    make("p", { class: "stale-mark-head" }, icon("alert"), make("strong", {}, "This region is stale, and nothing called it"), closing),
    ...paragraphs(text),
  );
  closing.addEventListener("click", () => made.remove());
  return made;
}
