import { make } from "../ui/pieces.js";

/**
 * @typedef {object} Finding
 * @property {string} key
 * @property {string} text a sentence, what was seen, and lines to write
 * @property {string | null} trace of the action; null where none is to blame
 */

/**
 * What a finding says, as paragraphs; the lines to write are code.
 *
 * @param {Finding["text"]} text
 * @returns {HTMLElement[]}
 */
export function paragraphs(text) {
  const [what = "", ...rest] = text.split("\n").map((line) => line.trim());
  const write = rest.filter((line) => line.startsWith("Write: ")).map((line) => line.slice("Write: ".length));
  const seen = rest.filter((line) => !line.startsWith("Write: ") && !line.startsWith("Trace: "));
  return [
    make("p", {}, what),
    ...seen.map((line) => make("p", {}, line)),
    ...write.map((line) => make("p", { class: "finding-write" }, "Write ", make("code", {}, line))),
  ];
}

/**
 * Without its trace: each write that shows the same mistake is found anew.
 *
 * @param {Finding} finding
 */
export function mistake({ text }) {
  return text.replace(/^\s*Trace: .*$/m, "").trim();
}
