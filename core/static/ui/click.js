/**
 * Whether a click means "open it here": any other opens a tab, a window, or saves.
 *
 * @param {MouseEvent} event
 */
export function isPlain(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
