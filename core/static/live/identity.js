const CONTROLS = new Set(["BUTTON", "A", "LABEL", "SUMMARY"]);

/** Selects what has a key. */
export const KEYED = "[data-key],[id]";

/**
 * What an element is known by across morphs: its `data-key`, else its `id`.
 *
 * @param {Node} node
 * @returns {string | null} with the element's name, so that a `<p id=x>` never becomes a `<div id=x>`
 */
export function keyOf(node) {
  if (!(node instanceof Element)) return null;
  const key = node.getAttribute("data-key") || node.id;
  return key ? `${node.localName} ${key}` : null;
}

/**
 * The outermost keyed elements of a subtree, the node itself included.
 *
 * @param {Node} node
 * @returns {Element[]}
 */
export function keyedIn(node) {
  if (!(node instanceof Element)) return [];
  if (keyOf(node)) return [node];
  return [...node.querySelectorAll(KEYED)].filter(
    (found) => !found.parentElement?.closest(KEYED) || !node.contains(found.parentElement.closest(KEYED)),
  );
}

/** Whether a node is one that scripts put beside the server's. @param {Node} node */
export function isAside(node) {
  return node instanceof Element && node.matches(".field-theirs, [data-live-aside]");
}

/**
 * Pairs nodes that have no key: equal ones first, then by kind, never crossing one another.
 *
 * @param {readonly Node[]} olds
 * @param {readonly Node[]} fresh
 * @returns {Map<Node, Node>} from fresh to old
 */
export function pairUnkeyed(olds, fresh) {
  const pairs = fresh.map(() => -1);
  const sameKinds = olds.length === fresh.length && olds.every((old, i) => sameKind(old, fresh[i]));
  if (sameKinds) return new Map(fresh.map((node, i) => [node, /** @type {Node} */ (olds[i])]));
  pairAlike(olds, fresh, pairs);
  pairKinds(olds, fresh, pairs);
  /** @type {Map<Node, Node>} */
  const found = new Map();
  pairs.forEach((place, i) => {
    const [node, old] = [fresh[i], olds[place]];
    if (node && old) found.set(node, old);
  });
  return found;
}

/** @param {readonly Node[]} olds @param {readonly Node[]} fresh @param {number[]} pairs */
function pairAlike(olds, fresh, pairs) {
  let from = 0;
  fresh.forEach((node, i) => {
    if (!(node instanceof Element)) return;
    const place = olds.findIndex((old, at) => at >= from && alike(old, node));
    if (place < 0) return;
    pairs[i] = place;
    from = place + 1;
  });
}

/** @param {readonly Node[]} olds @param {readonly Node[]} fresh @param {number[]} pairs */
function pairKinds(olds, fresh, pairs) {
  let from = 0;
  fresh.forEach((node, i) => {
    const own = /** @type {number} */ (pairs[i]);
    if (own < 0) {
      const next = pairs.find((place, at) => at > i && place >= 0) ?? olds.length;
      pairs[i] = olds.findIndex((old, at) => at >= from && at < next && sameKind(old, node));
    }
    from = Math.max(from, /** @type {number} */ (pairs[i]) + 1);
  });
}

/** @param {Node} old @param {Element} fresh */
function alike(old, fresh) {
  if (!sameKind(old, fresh)) return false;
  if (CONTROLS.has(old.nodeName)) return old.textContent === fresh.textContent;
  return old.isEqualNode(fresh);
}

/**
 * Whether one node may become the other and still be what people take it for.
 *
 * @param {Node} old
 * @param {Node | undefined} fresh
 */
export function sameKind(old, fresh) {
  if (!fresh || old.nodeName !== fresh.nodeName) return false;
  if (!(old instanceof Element && fresh instanceof Element)) return true;
  if (old.localName === "input") return same(old, fresh, "type", "name") && sameChoice(old, fresh);
  return !old.localName.includes("-") || same(old, fresh, "key");
}

/** @param {Element} old @param {Element} fresh */
function sameChoice(old, fresh) {
  const type = old.getAttribute("type");
  return (type !== "radio" && type !== "checkbox") || same(old, fresh, "value");
}

/** @param {Element} old @param {Element} fresh @param {...string} names */
function same(old, fresh, ...names) {
  return names.every((name) => old.getAttribute(name) === fresh.getAttribute(name));
}
