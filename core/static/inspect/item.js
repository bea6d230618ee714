import { icon, make } from "../ui/pieces.js";
import { isNamed } from "./notices.js";
import { point } from "./regions.js";
import { clock as timeOf, timeline, whole } from "./timeline.js";

/** @typedef {import("./journal.js").Entry} Entry */
/** @typedef {import("./timeline.js").Step} Step */

/**
 * @typedef {object} Outside
 * @property {() => Map<string, HTMLElement[]>} regions of the page, by key
 * @property {import("./reasons.js").Reasons} reasons
 * @property {import("../live/clock.js").Clock} clock
 */

/** One notice in the list: a line, and behind it its way and what each region of this page did. */
export class Item {
  #outside;
  #entry;
  #moved = make("span", { class: "inspect-moved" });
  #took = make("span", { class: "inspect-took" });
  #steps = make("ol", { class: "inspect-steps", "aria-label": "Its way" });
  #regions = make("ul", { class: "inspect-regions", "aria-label": "The regions of this page" });
  #drawn = "";

  /** @param {Entry} entry @param {Outside} outside */
  constructor(entry, outside) {
    this.#outside = outside;
    this.#entry = entry;
    const { cause, by, trace, published, committed, heard } = entry.notice;
    const details = make(
      "details",
      {},
      make(
        "summary",
        {},
        make("span", { class: "inspect-time" }, timeOf(committed ?? published ?? heard)),
        make("strong", {}, cause),
        make("span", { class: "inspect-by" }, by ? `by ${by}` : ""),
        this.#moved,
        this.#took,
        icon("open"),
      ),
      make("p", { class: "inspect-trace" }, "Trace ", make("code", {}, trace), ` · ${named(entry)}`),
      this.#steps,
      this.#regions,
    );
    details.addEventListener("toggle", () => {
      if (!details.open) return;
      this.#explain();
      details.scrollIntoView({ block: "start" });
    });
    this.element = make("li", {}, details);
    this.draw();
  }

  /** Whether any region of this page shows what the notice names. */
  get isOfThisPage() {
    return this.#keys().some((key) => isNamed(this.#entry.notice, key));
  }

  /** Shows what has become known since. */
  draw() {
    const { notice, sight } = this.#entry;
    const steps = timeline(notice, sight);
    const keys = this.#keys();
    const moved = keys.filter((key) => isNamed(notice, key)).length;
    const word = `${moved} of ${keys.length} ${keys.length === 1 ? "region" : "regions"}`;
    const last = steps.at(-1);
    const took = sight !== null && last?.at_ms ? `${whole(last.at_ms)} ms` : "";
    const drawn = JSON.stringify([steps, word]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#moved.textContent = word;
    this.#moved.toggleAttribute("data-some", moved > 0);
    this.#took.textContent = took;
    this.#steps.replaceChildren(...drawnSteps(steps));
  }

  #keys() {
    return [...this.#outside.regions().keys()];
  }

  /** Asks the server, region by region, why it moved or did not. */
  #explain() {
    const { regions, reasons, clock } = this.#outside;
    const { notice } = this.#entry;
    const lines = [...regions()].map(([key, shown]) => {
      const isCalled = isNamed(notice, key);
      const text = make("p", {}, "Asking why …");
      void reasons.of(notice, key).then((reason) => text.replaceChildren(reason));
      const button = make("button", { type: "button", class: "inspect-key" }, make("code", {}, key));
      button.title = "Show where it is";
      button.addEventListener("click", () => point(shown, clock));
      const word = make("span", { class: "inspect-word" }, icon(isCalled ? "check" : "close"), isCalled ? "moved" : "did not move");
      return make("li", { "data-called": isCalled }, make("div", {}, button, word), text);
    });
    this.#regions.replaceChildren(...(lines.length ? lines : [make("li", {}, "There is no region on this page.")]));
  }
}

/** @param {Entry} entry */
function named({ notice: { reset, keys } }) {
  if (reset) return "names every key";
  const shown = keys.filter((key) => !key.startsWith("access:")).slice(0, 6);
  const more = keys.length - shown.length;
  return `names ${shown.join(", ") || "no key"}${more > 0 ? ` and ${more} more` : ""}`;
}

/** @param {Step[]} steps */
function drawnSteps(steps) {
  const longest = Math.max(1, ...steps.map(({ at_ms }) => at_ms ?? 0));
  let before = 0;
  return steps.map(({ name, at_ms, text, from_ms }) => {
    const bar = make("span", { class: "inspect-bar", "aria-hidden": "true" });
    const at = at_ms ?? before;
    // By the object model, which a policy without inline styles allows.
    bar.style.setProperty("--from", `${(100 * Math.min(from_ms ?? before, at)) / longest}%`);
    bar.style.setProperty("--to", `${(100 * at) / longest}%`);
    before = at;
    const when = at_ms === null ? "" : `+${whole(at_ms)} ms`;
    return make("li", {}, make("b", {}, name), make("span", { class: "inspect-at" }, when), bar, make("span", {}, text));
  });
}
