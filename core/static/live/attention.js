import { KEYED } from "./identity.js";

const FOCUSABLE =
  "a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select:not([disabled])," +
  " textarea:not([disabled]), summary, [tabindex]:not([tabindex='-1'])";

/**
 * A keyed element around the focus, and its siblings, next ones first.
 *
 * @typedef {{around: Element, near: Element[]}} Ring
 */

/** What a person looks at and types in inside an element: focus, caret, selected text, playing media. */
export class Attention {
  #root;
  #active;
  #caret;
  #selection;
  #rings;
  #playing;

  /** @param {Element} root */
  constructor(root) {
    this.#root = root;
    const active = root.ownerDocument.activeElement;
    this.#active = active && active !== root && root.contains(active) ? active : null;
    this.#caret = this.#active && caretOf(this.#active);
    this.#selection = selectionIn(root);
    this.#rings = this.#active ? rings(root, this.#active) : [];
    this.#playing = mediaIn(root)
      .filter((media) => !media.paused)
      .map((media) => ({ media, src: media.currentSrc }));
  }

  /** The node that holds the focus or plays: it is the last one to move. @returns {Element | null} */
  get pin() {
    return this.#active ?? this.#playing[0]?.media ?? null;
  }

  /**
   * Gives back what the morph took.
   *
   * @returns {Element | null} the element that had the focus and is gone
   */
  restore() {
    for (const { media, src } of this.#playing) resume(media, src);
    this.#restoreSelection();
    const active = this.#active;
    if (!active) return null;
    if (!this.#root.contains(active)) {
      this.#focusNeighbour();
      return active;
    }
    if (active.ownerDocument.activeElement !== active) focus(active);
    if (this.#caret) restoreCaret(active, this.#caret);
    return null;
  }

  #focusNeighbour() {
    for (const { around, near } of this.#rings) {
      for (const element of [around, ...near]) {
        if (this.#root.contains(element) && focusFirstIn(element)) return;
      }
    }
    const heading = this.#root.querySelector("h1, h2, h3, h4, h5, h6") ?? this.#root;
    heading.setAttribute("tabindex", "-1");
    focus(heading);
  }

  #restoreSelection() {
    const kept = this.#selection;
    if (!kept || !this.#root.contains(kept.anchor) || !this.#root.contains(kept.focus)) return;
    const now = /** @type {Selection} */ (this.#root.ownerDocument.getSelection());
    const [from, to] = [within(kept.anchor, kept.from), within(kept.focus, kept.to)];
    const untouched = now.anchorNode === kept.anchor && now.anchorOffset === from;
    if (untouched && now.focusNode === kept.focus && now.focusOffset === to) return;
    now.setBaseAndExtent(kept.anchor, from, kept.focus, to);
  }
}

/** @param {Element} root @param {Element} active @returns {Ring[]} innermost first */
function rings(root, active) {
  const found = [];
  for (
    let keyed = active.closest(KEYED);
    keyed && keyed !== root && root.contains(keyed);
    keyed = keyed.parentElement?.closest(KEYED) ?? null
  ) {
    const near = [...siblings(keyed, "nextElementSibling"), ...siblings(keyed, "previousElementSibling")];
    found.push({ around: keyed, near });
  }
  return found;
}

/** @param {Element} element @param {"nextElementSibling" | "previousElementSibling"} direction */
function* siblings(element, direction) {
  for (let next = element[direction]; next; next = next[direction]) {
    if (next.matches(KEYED)) yield next;
  }
}

/** @param {Element} element @returns {boolean} whether something in it took the focus */
function focusFirstIn(element) {
  const inside = element.querySelectorAll(FOCUSABLE);
  for (const candidate of element.matches(FOCUSABLE) ? [element, ...inside] : inside) {
    if (candidate.checkVisibility && !candidate.checkVisibility()) continue;
    focus(candidate);
    if (candidate.ownerDocument.activeElement === candidate) return true;
  }
  return false;
}

/** @param {Element} element */
function focus(element) {
  if (element instanceof HTMLElement || element instanceof SVGElement) element.focus({ preventScroll: true });
}

/** @param {Element} element */
function caretOf(element) {
  if (!(element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)) return null;
  const { selectionStart, selectionEnd, selectionDirection } = element;
  // Null where the type of input has no caret, as a number's.
  if (selectionStart === null || selectionEnd === null) return null;
  return { start: selectionStart, end: selectionEnd, direction: selectionDirection ?? "none" };
}

/** @param {Element} element @param {NonNullable<ReturnType<typeof caretOf>>} caret */
function restoreCaret(element, { start, end, direction }) {
  if (!(element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)) return;
  if (element.selectionStart === start && element.selectionEnd === end) return;
  element.setSelectionRange(start, end, direction);
}

/** @param {Element} root */
function selectionIn(root) {
  const now = root.ownerDocument.getSelection();
  if (!now?.anchorNode || !now.focusNode) return null;
  if (!root.contains(now.anchorNode) || !root.contains(now.focusNode)) return null;
  return { anchor: now.anchorNode, from: now.anchorOffset, focus: now.focusNode, to: now.focusOffset };
}

/** @param {Node} node @param {number} offset */
function within(node, offset) {
  const length = node instanceof CharacterData ? node.data.length : node.childNodes.length;
  return Math.min(offset, length);
}

/** By name, which is much faster than by a selector. @param {Element} root @returns {HTMLMediaElement[]} */
function mediaIn(root) {
  return [...root.getElementsByTagName("video"), ...root.getElementsByTagName("audio")];
}

/** @param {HTMLMediaElement} media @param {string} src */
function resume(media, src) {
  if (!media.isConnected || !media.paused || media.ended || media.currentSrc !== src) return;
  // Refused where the browser wants a click first; then it stays paused, where it stood.
  media.play().catch(() => {});
}
