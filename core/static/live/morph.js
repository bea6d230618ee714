import { Attention } from "./attention.js";
import { syncAttributes } from "./attributes.js";
import { Changes } from "./changes.js";
import { KEYED, isAside, keyOf, pairUnkeyed, sameKind } from "./identity.js";
import { move } from "./move.js";
import { staying } from "./order.js";
import { SAME, Shown } from "./shown.js";
import { OwnInput } from "./theirs.js";

export { bindTheirs } from "./theirs.js";

/**
 * What a morph did, and the removed element that had the focus: a neighbour has it now.
 *
 * @typedef {import("./changes.js").Found & {focusLost: Element | null}} Morphed
 */

/**
 * @typedef {object} Work
 * @property {Element} target
 * @property {DocumentFragment} content
 * @property {OwnInput} input
 * @property {Shown | undefined} shown
 * @property {Element | null} pin
 */

/**
 * Makes an element's content equal to *html* with the fewest changes.
 *
 * Keeps focus, caret and selection, scroll positions, open dialogs, details and popovers, playing
 * media, and what people typed and did not save.
 *
 * @param {Element} target
 * @param {string} html
 * @returns {Morphed | null} null while something in it is dragged: nothing was done, try again later
 */
export function morph(target, html) {
  if (target.matches("[data-dragging]") || target.querySelector("[data-dragging]")) return null;
  const shown = Shown.of(target, html);
  const content = parse(target, shown ? shown.shorten(html) : html);
  const attention = new Attention(target);
  const input = new OwnInput(target);
  const found = new Morph({ target, content, input, shown, pin: attention.pin }).run();
  input.restore();
  const focusLost = attention.restore();
  shown?.remember();
  return { ...found, focusLost };
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
  #input;
  #shown;
  #pin;
  /** @type {Map<string, Element> | null} */
  #known = null;
  /** @type {Set<Node>} old nodes that have their place in the new content */
  #claimed = new Set();
  /** @type {Node[]} */
  #doomed = [];
  #changes;

  /** @param {Work} work */
  constructor({ target, content, input, shown, pin }) {
    this.#target = target;
    this.#changes = new Changes(target);
    this.#source = content;
    this.#input = input;
    this.#shown = shown;
    this.#pin = pin;
  }

  /** @returns {Changes["found"]} */
  run() {
    this.#children(this.#target, this.#source);
    // Only now: what a doomed element holds may have been wanted in another place, alive.
    for (const node of this.#doomed) this.#remove(node);
    return this.#changes.found;
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

  /**
   * A new node: whole, or without its children where one of them lives in the document already.
   *
   * @param {ChildNode} fresh
   */
  #make(fresh) {
    if (!(fresh instanceof Element)) return fresh;
    if (fresh.hasAttribute(SAME)) return this.#again(fresh);
    const known = this.#index();
    const inside = known.size ? [...fresh.querySelectorAll(KEYED)] : [];
    const holdsOld = inside.some((element) => known.has(keyOf(element) ?? ""));
    return holdsOld ? /** @type {Element} */ (this.#target.ownerDocument.importNode(fresh, false)) : fresh;
  }

  /** What was said to be there already, and is not: a key that occurs twice. @param {Element} fresh */
  #again(fresh) {
    return parse(this.#target, this.#shown?.text(fresh) ?? "").firstElementChild ?? fresh;
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
    if (!old) this.#changes.add(parent, node);
    else if (node instanceof Element && keyOf(node)) this.#changes.move(node);
    move(parent, node, before);
  }

  /** @param {Node} old @param {Node} fresh */
  #become(old, fresh) {
    if (!(old instanceof Element && fresh instanceof Element)) {
      if (old.nodeValue === fresh.nodeValue) return;
      this.#changes.write(old, fresh.nodeValue);
      old.nodeValue = fresh.nodeValue;
      return;
    }
    if (fresh.hasAttribute(SAME) || old.isEqualNode(fresh)) return;
    this.#input.touch(old);
    if (syncAttributes(old, fresh) && !old.matches("input[type=hidden]")) this.#changes.change(old);
    if (old instanceof HTMLTextAreaElement) this.#text(old, /** @type {HTMLTextAreaElement} */ (fresh));
    else if (!ownsChildren(old, fresh)) this.#children(old, fresh);
  }

  /** @param {HTMLTextAreaElement} old @param {HTMLTextAreaElement} fresh */
  #text(old, fresh) {
    if (old.defaultValue === fresh.defaultValue) return;
    old.defaultValue = fresh.defaultValue;
    this.#changes.change(old);
  }

  /** @param {Node} node */
  #remove(node) {
    const parent = node.parentElement;
    if (this.#claimed.has(node) || !parent) return;
    this.#changes.remove(parent, node);
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
