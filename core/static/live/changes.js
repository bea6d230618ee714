import { KEYED, keyedIn } from "./identity.js";

/**
 * What a morph did to the elements that have an `id` or a `data-key`.
 *
 * @typedef {object} Found
 * @property {Element[]} added the outermost ones; what is inside them is as new
 * @property {Element[]} changed those whose own text or attributes changed, not those of a keyed element inside
 * @property {Element[]} removed the outermost ones
 * @property {Element[]} moved
 * @property {Map<Element, Element>} from the parents that removed and moved elements had
 */

/** Notes what one morph of *target* does. */
export class Changes {
  #target;
  /** @type {Set<Element>} */
  #added = new Set();
  /** @type {Set<Element>} */
  #changed = new Set();
  /** @type {Element[]} */
  #removed = [];
  /** @type {Element[]} */
  #moved = [];
  /** @type {Map<Element, Element>} */
  #from = new Map();

  /** @param {Element} target */
  constructor(target) {
    this.#target = target;
  }

  /** @returns {Found} */
  get found() {
    const changed = [...this.#changed].filter((element) => element.isConnected);
    return { added: [...this.#added], changed, removed: this.#removed, moved: this.#moved, from: this.#from };
  }

  /** *node* is about to be put into *parent*. @param {Element} parent @param {Node} node */
  add(parent, node) {
    for (let around = parent; around !== this.#target; around = /** @type {Element} */ (around.parentElement)) {
      if (this.#added.has(around)) return;
    }
    const keyed = keyedIn(node);
    for (const element of keyed) this.#added.add(element);
    if (!keyed.length && !isBlank(node)) this.change(parent);
  }

  /** *node* is about to leave *parent* for ever. @param {Element} parent @param {Node} node */
  remove(parent, node) {
    const keyed = keyedIn(node);
    for (const element of keyed) {
      this.#removed.push(element);
      this.#from.set(element, /** @type {Element} */ (element.parentElement));
    }
    if (!keyed.length && !isBlank(node)) this.change(parent);
  }

  /** A keyed element is about to move. @param {Element} element */
  move(element) {
    this.#moved.push(element);
    this.#from.set(element, /** @type {Element} */ (element.parentElement));
  }

  /** Something of an element changed that belongs to no keyed element inside it. @param {Element | null} element */
  change(element) {
    const keyed = element?.closest(KEYED);
    if (!keyed || keyed === this.#target || !this.#target.contains(keyed)) return;
    if (!this.#added.has(keyed)) this.#changed.add(keyed);
  }

  /** The text of a node is about to be another. @param {Node} node @param {string | null} text */
  write(node, text) {
    if (node.nodeValue?.trim() || text?.trim()) this.change(node.parentElement);
  }
}

/** @param {Node} node */
function isBlank(node) {
  return !(node instanceof Element) && !node.nodeValue?.trim();
}
