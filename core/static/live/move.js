/**
 * Puts a node before another with its state: scroll positions, open popovers and dialogs, playing media.
 *
 * @param {Element} parent
 * @param {Node} node
 * @param {Node | null} before
 */
export function move(parent, node, before) {
  if (parent.moveBefore && parent.isConnected && node.isConnected) {
    parent.moveBefore(/** @type {Element} */ (node), before);
    return;
  }
  const restore = node.isConnected && node instanceof Element ? stateOf(node) : [];
  parent.insertBefore(node, before);
  for (const give of restore) give();
}

/**
 * What an element loses when it leaves the document for a moment.
 *
 * @param {Element} element
 * @returns {(() => void)[]}
 */
function stateOf(element) {
  const all = [element, ...element.querySelectorAll("*")];
  return [
    ...all.filter(isScrolled).map(scroll),
    ...all.filter(isModal).map(modal),
    ...all.filter(isPopover).map(popover),
  ];
}

/** @param {Element} element */
function isScrolled(element) {
  return element.scrollTop !== 0 || element.scrollLeft !== 0;
}

/** @param {Element} element */
function scroll(element) {
  const { scrollTop, scrollLeft } = element;
  return () => Object.assign(element, { scrollTop, scrollLeft });
}

/** @param {Element} element @returns {element is HTMLDialogElement} */
function isModal(element) {
  return element.localName === "dialog" && element.matches(":modal");
}

/** @param {HTMLDialogElement} dialog */
function modal(dialog) {
  return () => {
    dialog.removeAttribute("open");
    dialog.showModal();
  };
}

/** @param {Element} element @returns {element is HTMLElement} */
function isPopover(element) {
  return element.hasAttribute("popover") && element.matches(":popover-open");
}

/** @param {HTMLElement} element */
function popover(element) {
  return () => element.showPopover();
}
