/**
 * The texts of the browser code, in the language of the page. They stand in the code in English; a
 * page in another language loads the module `/texts/<language>.js`, which hands them over before any
 * other code runs. What it does not have stays English.
 */

/** @typedef {Record<string, string | readonly string[]>} Texts by the English ones; a list: one per plural form */
/** @typedef {Record<string, string | number>} Values */

/** In this order catalogues list the forms of a language that has them. */
const CATEGORIES = /** @type {const} */ (["zero", "one", "two", "few", "many", "other"]);

/** @type {Texts} */
let texts = {};

/** @type {{lang: string, categories: readonly string[], rules: Intl.PluralRules} | null} */
let plural = null;

/** @param {Texts} found */
export function speak(found) {
  texts = found;
}

/** The language of the page, for `Intl`. */
export function language() {
  return globalThis.document?.documentElement.lang || "en";
}

/**
 * A text with `values` in the places of their names: `{name}`.
 *
 * @param {string} text in English, a literal: what is found by reading the code can be translated
 * @param {Values} [values]
 */
export function _(text, values = {}) {
  const found = texts[text];
  return filled(typeof found === "string" ? found : text, values);
}

/**
 * The form of a text that fits `num`, which stands in it as `{num}`.
 *
 * @param {string} one
 * @param {string} many
 * @param {number} num
 * @param {Values} [values]
 */
export function ngettext(one, many, num, values = {}) {
  const found = texts[one];
  const form = Array.isArray(found) ? found[formOf(num, found.length)] : num === 1 ? one : many;
  return filled(form, { num: number(num), ...values });
}

/** A number as the language writes it. @param {number} value */
export function number(value) {
  return value.toLocaleString(language());
}

/**
 * @param {string} text
 * @param {Values} values
 */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * Which of `count` forms of a text fits `num`.
 *
 * @param {number} num
 * @param {number} count
 */
export function formOf(num, count) {
  const lang = language();
  if (plural?.lang !== lang) {
    const rules = new Intl.PluralRules(lang);
    const { pluralCategories } = rules.resolvedOptions();
    plural = { lang, rules, categories: CATEGORIES.filter((each) => pluralCategories.includes(each)) };
  }
  return Math.min(plural.categories.indexOf(plural.rules.select(num)), count - 1);
}
