import { Attention } from "./attention.js";
import { syncAttributes } from "./attributes.js";
import { KEYED, isAside, keyOf, keyedIn, pairUnkeyed, sameKind } from "./identity.js";
import { move } from "./move.js";
import { staying } from "./order.js";
import { SAME, Shown } from "./shown.js";
import { OwnInput } from "./theirs.js";

export { bindTheirs } from "./theirs.js";

/**
 * What a morph did to the elements that have an `id` or a `data-key`.
 *
 * @typedef {object} Changes
 * @property {Element[]} added the outermost ones; what is inside them is as new
 * @property {Element[]} changed those whose own text or attributes changed, not those of a keyed element inside
 * @property {Element[]} removed the outermost ones
 * @property {Element[]} moved
 * @property {Map<Element, Element>} from the parents that removed and moved elements had
 * @property {Element | null} focusLost the removed element that had the focus; a neighbour has it now
 */

/**
 * Makes an element's content equal to *html* with the fewest changes.
 *
 * Keeps focus, caret and selection, scroll positions, open dialogs, details and popovers, playing
 * media, and what people typed and did not save.
 *
 * @param {Element} target
 * @param {string} html
 * @returns {Changes | null} null while something in it is dragged: nothing was done, try again later
 */
export function morph(target, html) {
  if (target.matches("[data-dragging]") || target.querySelector("[data-dragging]")) return null;
  const content = parse(target, Shown.shorten(target, html));
  const attention = new Attention(target);
  const input = new OwnInput(target);
  const work = new Morph(target, content, attention.pin);
  work.run();
  input.restore();
  const focusLost = attention.restore();
  Shown.remember(target, html);
  return { ...work.changes(), focusLost };
}

/** @param {Element} target @param {string} html */
function parse(target, html) {
  const template = target.ownerDocument.createElement("template");
  template.innerHTML = html;
  return template.content;
}

class Morph {
  #target;
  #source;
  #pin;
  /** @type {Map<string, Element> | null} */
  #known = null;
  /** @type {Set<Node>} old nodes that have their place in the new content */
  #claimed = new Set();
  /** @type {Set<Element>} new elements that were reported as added */
  #added = new Set();
  /** @type {Node[]} */
  #doomed = [];
  /** @type {Set<Element>} */
  #changed = new Set();
  /** @type {Element[]} */
  #removed = [];
  /** @type {Element[]} */
  #moved = [];
  /** @type {Map<Element, Element>} */
  #from = new Map();

  /** @param {Element} target @param {DocumentFragment} source @param {Element | null} pin */
  constructor(target, source, pin) {
    this.#target = target;
    this.#source = source;
    this.#pin = pin;
  }

  run() {
    this.#children(this.#target, this.#source);
    // Only now: what a doomed element holds may have been wanted in another place, alive.
    for (const node of this.#doomed) this.#remove(node);
  }

  /** @returns {Omit<Changes, "focusLost">} */
  changes() {
    const changed = [...this.#changed].filter((element) => element.isConnected);
    return { added: [...this.#added], changed, removed: this.#removed, moved: this.#moved, from: this.#from };
  }

  /** @param {Element} parent @param {ParentNode & Node} source */
  #children(parent, source) {
    const olds = [...parent.childNodes].filter((node) => !isAside(node));
    const wanted = [...source.childNodes];
    const pairs = this.#pair(parent, olds, wanted);
    const nodes = wanted.map((fresh) => pairs.get(fresh) ?? this.#make(fresh));
    const kept = new Set(nodes);
    this.#doomed.push(...olds.filter((old) => !kept.has(old)));
    this.#place(parent, olds, nodes);
    wanted.forEach((fresh, i) => {
      const node = /** @type {ChildNode} */ (nodes[i]);
      if (node !== fresh) this.#become(node, fresh);
    });
  }

  /**
   * @param {Element} parent
   * @param {readonly ChildNode[]} olds
   * @param {readonly ChildNode[]} wanted
   * @returns {Map<Node, Node>} from fresh to old
   */
  #pair(parent, olds, wanted) {
    /** @type {Map<string, Node>} */
    const siblings = new Map();
    for (const old of olds) siblings.set(keyOf(old) ?? "", old);
    const pairs = pairUnkeyed(olds.filter(isUnkeyed), wanted.filter(isUnkeyed));
    for (const fresh of wanted) {
      const key = keyOf(fresh);
      const old = key && (siblings.get(key) ?? this.#elsewhere(key, parent));
      if (old && !this.#claimed.has(old) && sameKind(old, fresh)) pairs.set(fresh, old);
      const found = pairs.get(fresh);
      if (found) this.#claimed.add(found);
    }
    return pairs;
  }

  /** @param {string} key @param {Element} parent */
  #elsewhere(key, parent) {
    const old = this.#index().get(key);
    return old && !old.contains(parent) ? old : undefined;
  }

  /** The elements that both contents have once, by key. Most morphs never need it. */
  #index() {
    if (this.#known) return this.#known;
    const wanted = onceIn(this.#source);
    this.#known = onceIn(this.#target);
    for (const [key, old] of this.#known) {
      if (!wanted.has(key) || old.parentElement?.closest("[data-live-own]")) this.#known.delete(key);
    }
    return this.#known;
  }

  /** A new node: whole, or without its children where one of them lives in the document already. @param {ChildNode} fresh */
  #make(fresh) {
    if (!(fresh instanceof Element)) return fresh;
    if (fresh.hasAttribute(SAME)) return this.#again(fresh);
    const known = this.#index();
    const holdsOld = known.size > 0 && [...fresh.querySelectorAll(KEYED)].some((inside) => known.has(keyOf(inside) ?? ""));
    return holdsOld ? /** @type {Element} */ (this.#target.ownerDocument.importNode(fresh, false)) : fresh;
  }

  /** What was said to be there already, and is not: a key that occurs twice. @param {Element} fresh */
  #again(fresh) {
    const text = Shown.text(this.#target, fresh.getAttribute("data-key") ?? "");
    return /** @type {Element} */ (parse(this.#target, text).firstElementChild);
  }

  /** @param {Element} parent @param {readonly Node[]} olds @param {readonly Node[]} nodes */
  #place(parent, olds, nodes) {
    const now = new Map(olds.map((old, i) => [old, i]));
    const pinned = nodes.findIndex((node) => this.#pin && node.contains(this.#pin));
    const still = staying(nodes.map((node) => now.get(node) ?? -1), pinned);
    let before = null;
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = /** @type {Node} */ (nodes[i]);
      if (!still.has(i)) this.#put(parent, node, before);
      before = node;
    }
  }

  /** @param {Element} parent @param {Node} node @param {Node | null} before */
  #put(parent, node, before) {
    const old = this.#claimed.has(node);
    if (old && node instanceof Element && keyOf(node)) {
      this.#moved.push(node);
      this.#from.set(node, /** @type {Element} */ (node.parentElement));
    }
    if (!old) this.#report(parent, node);
    move(parent, node, before);
  }

  /** @param {Element} parent @param {Node} node */
  #report(parent, node) {
    for (let around = parent; around !== this.#target; around = /** @type {Element} */ (around.parentElement)) {
      if (this.#added.has(around)) return;
    }
    const keyed = keyedIn(node);
    for (const element of keyed) this.#added.add(element);
    if (!keyed.length && !isBlank(node)) this.#change(parent);
  }

  /** @param {Node} old @param {Node} fresh */
  #become(old, fresh) {
    if (!(old instanceof Element && fresh instanceof Element)) {
      if (old.nodeValue === fresh.nodeValue) return;
      if (!isBlank(old) || !isBlank(fresh)) this.#change(old.parentElement);
      old.nodeValue = fresh.nodeValue;
      return;
    }
    if (fresh.hasAttribute(SAME) || old.isEqualNode(fresh)) return;
    if (syncAttributes(old, fresh) && !old.matches("input[type=hidden]")) this.#change(old);
    if (old instanceof HTMLTextAreaElement) this.#text(old, /** @type {HTMLTextAreaElement} */ (fresh));
    else if (!ownsChildren(old, fresh)) this.#children(old, fresh);
  }

  /** @param {HTMLTextAreaElement} old @param {HTMLTextAreaElement} fresh */
  #text(old, fresh) {
    if (old.defaultValue === fresh.defaultValue) return;
    old.defaultValue = fresh.defaultValue;
    this.#change(old);
  }

  /** @param {Element | null} element */
  #change(element) {
    const keyed = element?.closest(KEYED);
    if (keyed && keyed !== this.#target && this.#target.contains(keyed) && !this.#added.has(keyed)) this.#changed.add(keyed);
  }

  /** @param {Node} node */
  #remove(node) {
    const parent = node.parentElement;
    if (this.#claimed.has(node) || !parent) return;
    const keyed = keyedIn(node);
    for (const element of keyed) {
      this.#removed.push(element);
      this.#from.set(element, /** @type {Element} */ (element.parentElement));
    }
    if (!keyed.length && !isBlank(node)) this.#change(parent);
    parent.removeChild(node);
  }
}

/** @param {ParentNode} root @returns {Map<string, Element>} the elements whose key occurs once */
function onceIn(root) {
  /** @type {Map<string, Element>} */
  const found = new Map();
  const twice = new Set();
  for (const element of root.querySelectorAll(KEYED)) {
    const key = keyOf(element);
    if (!key) continue;
    if (found.has(key)) twice.add(key);
    found.set(key, element);
  }
  for (const key of twice) found.delete(key);
  return found;
}

/** Whether an element looks after its children itself. @param {Element} old @param {Element} fresh */
function ownsChildren(old, fresh) {
  if (old.hasAttribute("data-live-own")) return true;
  // The messages about a form's last submission; the server sends the empty place for them.
  return old.hasAttribute("data-errors") && !fresh.childNodes.length;
}

/** @param {Node} node */
function isUnkeyed(node) {
  return !keyOf(node);
}

/** @param {Node} node */
function isBlank(node) {
  return !(node instanceof Element) && !node.nodeValue?.trim();
}
