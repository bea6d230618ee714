/** Keys that mean something to the page, and when they do not. */

const TYPES = new Set(["button", "checkbox", "radio", "range", "submit", "reset", "file", "color"]);

/**
 * Whether a key goes into a text or a choice that somebody is making.
 *
 * @param {KeyboardEvent} event
 */
export function isTyping(event) {
  const { target } = event;
  if (event.isComposing || !(target instanceof Element)) return event.isComposing;
  if (target instanceof HTMLInputElement) return !TYPES.has(target.type);
  return target.matches("textarea, select, [contenteditable]:not([contenteditable=false])");
}

/**
 * Whether a key is pressed alone.
 *
 * @param {KeyboardEvent} event
 */
export function isAlone({ ctrlKey, metaKey, altKey, shiftKey }) {
  return !ctrlKey && !metaKey && !altKey && !shiftKey;
}
