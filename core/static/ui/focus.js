/** Where the keyboard goes when something it stood on disappears. */

/**
 * Focus *element*; when it lies in a closed menu, the button that opens the menu.
 *
 * @param {Element | null} element
 * @returns {boolean} whether something took the focus
 */
export function focusOn(element) {
  if (!(element instanceof HTMLElement) || !element.isConnected) return false;
  element.focus();
  if (document.activeElement === element) return true;
  const menu = element.closest("[popover]");
  const opener = menu?.id
    ? document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`)
    : menu?.previousElementSibling;
  if (!(opener instanceof HTMLElement)) return false;
  opener.focus();
  return document.activeElement === opener;
}

/** Whether nothing has the focus, which is what remains when a focused element is removed. */
export function isFocusLost() {
  return document.activeElement === null || document.activeElement === document.body;
}
