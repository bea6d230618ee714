/**
 * Marks the chapters that others work in, and hides this person among the others.
 *
 * The list of people is the same for all of them, and the chapters are another region: neither is
 * touched. What marks them is a style sheet of this page's own.
 */

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {string[]} chapters
 */

/**
 * @param {ParentNode} region the people
 * @param {string} me
 * @returns {string} the rules
 */
export function marks(region, me) {
  /** @type {Map<string, Person[]>} */
  const places = new Map();
  for (const person of people(region)) {
    if (person.id === me) continue;
    for (const chapter of person.chapters) places.set(chapter, [...(places.get(chapter) ?? []), person]);
  }
  const rules = [`.person[data-person="${Number(me)}"] { display: none }`];
  for (const [chapter, there] of places) {
    const tint = Number(there[0]?.id) % 6;
    const names = text(there.map(({ name }) => name).join(", "));
    rules.push(
      `#chapter-${chapter} { --there: ${names}; --tint: var(--tint-${tint}); --on-tint: var(--on-tint-${tint}) }`,
    );
  }
  return rules.join("\n");
}

/** @param {ParentNode} region @returns {Person[]} */
function people(region) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (region.querySelectorAll(".person"))].map(({ dataset }) => ({
    id: dataset["person"] ?? "",
    name: dataset["name"] ?? "",
    chapters: (dataset["chapters"] ?? "").split(" ").filter((id) => /^\d+$/.test(id)),
  }));
}

/** As a string of CSS: whatever could end it is written as a number. @param {string} words */
function text(words) {
  const safe = [...words].map((each) =>
    /[\p{L}\p{N} ,.'-]/u.test(each) ? each : `\\${(each.codePointAt(0) ?? 32).toString(16)} `,
  );
  return `"${safe.join("")}"`;
}
