import { isOurChange } from "./attributes.js";
import { isAside } from "./identity.js";

/** Below this a browser parses everything faster than one could notice. */
const LONG_CHARACTERS = 50_000;
const MARK = ' data-key="';
const VOID = new Set(["br", "hr", "img", "input", "source", "track"]);

/** Says of an element in new content: it is what the page shows already. */
export const SAME = "data-live-same";

/**
 * An outermost element with a data-key, in a text.
 *
 * @typedef {{start: number, end: number, name: string, key: string}} Span
 */

/** @type {WeakMap<Element, Shown>} */
const all = new WeakMap();

/**
 * The html that an element's content was made of, as far as that is still what the page shows.
 *
 * A course of 200 chapters is 3 MB of html, and parsing it is most of a morph: what came last time
 * too, letter by letter, need not be parsed again.
 */
export class Shown {
  /** @type {Map<string, string>} by key */
  #texts = new Map();
  /** @type {Map<string, string>} */
  #next = new Map();
  /** What was touched while nobody knew the html yet; null once it is known. @type {Set<string> | null} */
  #touched = null;
  #element;
  #observer;

  /** @param {Element} element */
  constructor(element) {
    this.#element = element;
    this.#observer = new MutationObserver((records) => this.#notice(records));
    this.#observer.observe(element, {
      attributeOldValue: true,
      characterData: true,
      childList: true,
      subtree: true,
    });
  }

  /**
   * The one for an element that is to show *html*, where that is long enough to be worth it.
   *
   * @param {Element} element
   * @param {string} html
   * @returns {Shown | undefined}
   */
  static of(element, html) {
    const shown = all.get(element);
    if (html.length >= LONG_CHARACTERS) {
      const found = shown ?? new Shown(element);
      all.set(element, found);
      return found;
    }
    if (shown) shown.#observer.disconnect();
    all.delete(element);
    return undefined;
  }

  /**
   * The html that an element was made of by the page will be told later: notice what is changed until then.
   *
   * @param {Element} element
   */
  static expect(element) {
    if (all.has(element)) return;
    const shown = new Shown(element);
    shown.#touched = new Set();
    all.set(element, shown);
  }

  /**
   * That html is *html*.
   *
   * @param {Element} element
   * @param {string} html
   */
  static learn(element, html) {
    const shown = all.get(element);
    if (!shown || !shown.#touched) return;
    shown.#notice(shown.#observer.takeRecords());
    for (const { start, end, key } of spansIn(html)) {
      shown.#texts.set(key, shown.#texts.has(key) ? "" : html.slice(start, end));
    }
    for (const key of shown.#touched) shown.#texts.delete(key);
    shown.#touched = null;
  }

  /**
   * The same html, where elements that are shown already carry only `SAME`.
   *
   * @param {string} html
   * @returns {string}
   */
  shorten(html) {
    this.#notice(this.#observer.takeRecords());
    this.#next = new Map();
    let short = "";
    let from = 0;
    for (const { start, end, name, key } of spansIn(html)) {
      const text = html.slice(start, end);
      this.#next.set(key, this.#next.has(key) ? "" : text);
      if (this.#texts.get(key) !== text) continue;
      short += `${html.slice(from, start)}<${name} data-key="${key}" ${SAME}></${name}>`;
      from = end;
    }
    return short + html.slice(from);
  }

  /** What an element that carries `SAME` stands for. @param {Element} fresh @returns {string} */
  text(fresh) {
    return this.#texts.get(fresh.getAttribute("data-key") ?? "") ?? "";
  }

  /** To be called when the element shows what was shortened last, before anybody else changes it. */
  remember() {
    this.#observer.takeRecords();
    this.#texts = this.#next;
    this.#touched = null;
  }

  /** @param {readonly MutationRecord[]} records */
  #notice(records) {
    for (const record of records) {
      if (isHarmless(record)) continue;
      this.#forgetAround(record.target);
      for (const node of [...record.addedNodes, ...record.removedNodes]) this.#forgetIn(node);
    }
  }

  /** @param {Node} node */
  #forgetAround(node) {
    let around = node instanceof Element ? node : node.parentElement;
    for (; around && around !== this.#element; around = around.parentElement) {
      this.#forget(around);
    }
  }

  /** @param {Node} node */
  #forgetIn(node) {
    if (!(node instanceof Element)) return;
    for (const element of [node, ...node.querySelectorAll("[data-key]")]) {
      this.#forget(element);
    }
  }

  /** @param {Element} element */
  #forget(element) {
    const key = element.getAttribute("data-key") ?? "";
    this.#texts.delete(key);
    this.#touched?.add(key);
  }
}

/** Whether a morph would let a change be. @param {MutationRecord} record */
function isHarmless({ type, target, attributeName, oldValue, addedNodes, removedNodes }) {
  if (!(target instanceof Element)) return false;
  if (type === "attributes") return isOurChange(target, attributeName ?? "", oldValue);
  if (target.closest(".field-theirs, [data-live-own], [data-errors]")) return true;
  return [...addedNodes, ...removedNodes].every(isAside);
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
    const start = html.lastIndexOf("<", at);
    const name = /^<([a-z]+) /.exec(html.slice(start, start + 20))?.[1];
    const key = html.slice(at + MARK.length, html.indexOf('"', at + MARK.length));
    const end = name && !VOID.has(name) ? endOf(html, start, name) : -1;
    if (name && end >= 0 && !key.includes("&")) yield { start, end, name, key };
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
  // "<li" also begins "<link>".
  while (at >= 0 && !" >\n\t/".includes(html.charAt(at + opening.length))) at = html.indexOf(opening, at + 1);
  return at;
}
