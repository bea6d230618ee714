import { isOurChange } from './attributes.js';
import { isAside } from './identity.js';

/** Below this a browser parses everything faster than one could notice. */
const LONG_CHARACTERS = 50_000;
const MARK = ' data-key="';
const VOID = new Set(['br', 'hr', 'img', 'input', 'source', 'track']);

/** Says of an element in new content: it is what the page shows already. */
export const SAME = 'data-live-same';

/** @typedef {{start: number, end: number, name: string, key: string}} Span an outermost element with a data-key, in a text */

/** @type {WeakMap<Element, Shown>} */
const all = new WeakMap();

/**
 * The html that an element's content was made of, as long as that is still what the page shows.
 *
 * A course of 200 chapters is 3 MB of html, and parsing it is most of a morph: what came last time
 * too, letter by letter, need not be parsed again.
 */
export class Shown {
  /** @type {Map<string, string> | null} by key */
  #texts = null;
  #observer;

  /** @param {Element} element */
  constructor(element) {
    this.#observer = new MutationObserver((records) => this.#notice(records));
    this.#observer.observe(element, {
      attributeOldValue: true,
      characterData: true,
      childList: true,
      subtree: true,
    });
  }

  /**
   * What a long text need not say again: the same text with elements that only carry `SAME`.
   *
   * @param {Element} element
   * @param {string} html
   * @returns {string}
   */
  static shorten(element, html) {
    const shown = all.get(element);
    return shown ? shown.#shorten(html) : html;
  }

  /**
   * To be called when the element shows *html*, before anybody else changes it.
   *
   * @param {Element} element
   * @param {string} html
   */
  static remember(element, html) {
    if (html.length < LONG_CHARACTERS) {
      Shown.#forget(element);
      return;
    }
    const shown = all.get(element) ?? new Shown(element);
    all.set(element, shown);
    shown.#observer.takeRecords();
    shown.#texts = textsIn(html);
  }

  /** What an element that carries `SAME` stands for. @param {Element} element @param {string} key */
  static text(element, key) {
    const shown = all.get(element);
    return (shown && shown.#texts && shown.#texts.get(key)) ?? '';
  }

  /** @param {Element} element */
  static #forget(element) {
    const shown = all.get(element);
    if (shown) shown.#observer.disconnect();
    all.delete(element);
  }

  /** @param {string} html */
  #shorten(html) {
    this.#notice(this.#observer.takeRecords());
    const known = this.#texts;
    if (!known) return html;
    let short = '';
    let from = 0;
    for (const { start, end, name, key } of spansIn(html)) {
      if (known.get(key) !== html.slice(start, end)) continue;
      short += `${html.slice(from, start)}<${name} data-key="${key}" ${SAME}></${name}>`;
      from = end;
    }
    return short + html.slice(from);
  }

  /** @param {readonly MutationRecord[]} records */
  #notice(records) {
    if (!records.every(isHarmless)) this.#texts = null;
  }
}

/** Whether a morph would let a change be. @param {MutationRecord} record */
function isHarmless({ type, target, attributeName, oldValue, addedNodes, removedNodes }) {
  if (!(target instanceof Element)) return false;
  if (type === 'attributes') return isOurChange(target, attributeName ?? '', oldValue);
  if (target.closest('.field-theirs, [data-live-own], [data-errors]')) return true;
  return [...addedNodes, ...removedNodes].every(isAside);
}

/** @param {string} html */
function textsIn(html) {
  /** @type {Map<string, string>} */
  const texts = new Map();
  for (const { start, end, key } of spansIn(html)) texts.set(key, texts.has(key) ? '' : html.slice(start, end));
  return texts;
}

/**
 * The outermost elements of a text that have a data-key.
 *
 * A search, not a parser: it relies on Jinja's escaping, by which `<` and `"` in a value or a text never
 * stand for themselves. An element that it does not understand is left out.
 *
 * @param {string} html
 * @returns {Generator<Span, void>}
 */
function* spansIn(html) {
  for (let at = html.indexOf(MARK); at >= 0; at = html.indexOf(MARK, at)) {
    const start = html.lastIndexOf('<', at);
    const name = /^<([a-z]+) /.exec(html.slice(start, start + 20))?.[1];
    const key = html.slice(at + MARK.length, html.indexOf('"', at + MARK.length));
    const end = name && !VOID.has(name) ? endOf(html, start, name) : -1;
    if (name && end >= 0 && !key.includes('&')) yield { start, end, name, key };
    at = end >= 0 ? end : at + MARK.length;
  }
}

/** @param {string} html @param {number} start @param {string} name */
function endOf(html, start, name) {
  const [opening, closing] = [`<${name}`, `</${name}>`];
  let depth = 1;
  let open = nextTag(html, opening, start + 1);
  let close = html.indexOf(closing, start);
  while (close >= 0) {
    if (open >= 0 && open < close) {
      depth += 1;
      open = nextTag(html, opening, open + 1);
    } else {
      depth -= 1;
      if (depth === 0) return close + closing.length;
      close = html.indexOf(closing, close + 1);
    }
  }
  return -1;
}

/** @param {string} html @param {string} opening @param {number} from */
function nextTag(html, opening, from) {
  let at = html.indexOf(opening, from);
  while (at >= 0 && /[\w-]/.test(html[at + opening.length] ?? '')) at = html.indexOf(opening, at + 1);
  return at;
}
