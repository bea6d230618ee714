import { Field } from "./fields.js";

/**
 * Takes out of an element what the server once showed there, and leaves what somebody has typed
 * into it since: that is theirs, to copy, or to send once they are signed in again. With it stay
 * the names of such fields, and what the form says that the edit began with.
 *
 * @param {Element} root
 */
export function withdraw(root) {
  /** @type {Set<Node>} */
  const kept = new Set();
  for (const control of root.querySelectorAll("input, textarea, select")) {
    const field = Field.of(control);
    if (!field?.isEdited) continue;
    const { form, labels } = /** @type {HTMLInputElement} */ (control);
    const beside = form?.querySelectorAll("input[type=hidden]") ?? [];
    for (const element of [control, ...(labels ?? []), ...beside]) {
      if (root.contains(element)) kept.add(element);
    }
  }
  prune(root, kept);
}

/**
 * @param {Element} element
 * @param {ReadonlySet<Node>} kept
 */
function prune(element, kept) {
  for (const child of [...element.childNodes]) {
    if (kept.has(child)) continue;
    if (child instanceof Element && [...kept].some((node) => child.contains(node))) prune(child, kept);
    else child.remove();
  }
}
