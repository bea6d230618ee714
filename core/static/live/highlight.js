const CLASS = "live-changed";
const SHOWN_MS = 2000;

/** @type {WeakMap<Element, symbol>} the last highlight of an element, so that an earlier one does not end it */
const last = new WeakMap();

/**
 * Marks elements as changed by somebody else, for two seconds.
 *
 * @param {Iterable<Element>} elements
 * @param {(end: () => void, ms: number) => unknown} [later] setTimeout
 */
export function highlight(elements, later = setTimeout) {
  const turn = Symbol();
  const marked = [...elements];
  for (const element of marked) {
    last.set(element, turn);
    element.classList.add(CLASS);
  }
  later(() => marked.filter((element) => last.get(element) === turn).forEach(end), SHOWN_MS);
}

/** @param {Element} element */
function end(element) {
  element.classList.remove(CLASS);
  if (!element.classList.length) element.removeAttribute("class");
}
