import { fieldsNamed, fill, labelOf, takeAsSaved } from "./fields.js";
import { make } from "./pieces.js";
import { _ } from "../live/texts.js";

/**
 * Two people saved different texts: both are shown, and the choice between them.
 *
 * @typedef {object} Conflict
 * @property {HTMLFormElement} form
 * @property {Record<string, unknown>} theirs
 * @property {Record<string, unknown>} mine
 * @property {() => void} keep called after “Keep mine”
 * @property {() => void} take called after “Use theirs”
 */

/**
 * @param {Conflict} conflict
 * @returns {HTMLElement}
 */
export function conflictPanel({ form, theirs, mine, keep, take }) {
  const list = make("dl");
  for (const name of differing(theirs, mine)) {
    list.append(
      make("dt", {}, labelOf(form, name)),
      make("dd", {}, _("Theirs: "), make("bdi", {}, inWords(form, name, theirs[name]))),
      make("dd", {}, _("Yours: "), make("bdi", {}, inWords(form, name, mine[name]))),
    );
  }
  const keepButton = make("button", { type: "button", class: "button" }, _("Keep mine"));
  const takeButton = make("button", { type: "button", class: "button" }, _("Use theirs"));
  keepButton.addEventListener("click", () => {
    fillAll(form, theirs, "was.");
    keep();
  });
  takeButton.addEventListener("click", () => {
    fillAll(form, theirs, "was.");
    fillAll(form, theirs, "");
    takeAsSaved(form, new FormData(form));
    take();
  });
  return make("div", { class: "conflict" }, list, make("p", {}, keepButton, " ", takeButton));
}

/**
 * @param {Record<string, unknown>} theirs
 * @param {Record<string, unknown>} mine
 */
function differing(theirs, mine) {
  return Object.keys(theirs).filter((name) => name in mine && theirs[name] !== mine[name]);
}

/**
 * A radio button's value in the words of its label; an empty text in words too.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {unknown} value
 */
function inWords(form, name, value) {
  const chosen = fieldsNamed(form, name).find((f) => f.type === "radio" && f.value === value);
  return chosen?.labels?.[0]?.textContent?.trim() || String(value ?? "") || _("(empty)");
}

/**
 * @param {HTMLFormElement} form
 * @param {Record<string, unknown>} values
 * @param {string} prefix
 */
function fillAll(form, values, prefix) {
  for (const [name, value] of Object.entries(values)) fill(form, prefix + name, String(value ?? ""));
}
