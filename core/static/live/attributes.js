// What scripts and people set on elements, of which the server knows nothing.
const OURS = new Set(["aria-busy", "aria-expanded", "aria-invalid", "data-theirs"]);
const SCRIPT_CLASS = "live-changed";

/**
 * Makes an element's attributes those of *fresh*, and leaves what belongs to the browser.
 *
 * @param {Element} old
 * @param {Element} fresh
 * @returns {boolean} whether anything changed
 */
export function syncAttributes(old, fresh) {
  let changed = syncClass(old, fresh);
  for (const { name, value } of fresh.attributes) {
    if (name === "class" || old.getAttribute(name) === value || isTheirs(old, name)) continue;
    old.setAttribute(name, value);
    changed = true;
  }
  for (const name of old.getAttributeNames()) {
    if (name === "class" || fresh.hasAttribute(name) || isTheirs(old, name) || isOurs(old, name)) continue;
    old.removeAttribute(name);
    changed = true;
  }
  return changed;
}

/**
 * Whether a script's change of an attribute is one that `syncAttributes` lets be.
 *
 * @param {Element} element as it is after the change
 * @param {string} name
 * @param {string | null} before
 */
export function isOurChange(element, name, before) {
  if (name === "class") return serverClass(before) === serverClass(element.getAttribute("class"));
  return isTheirs(element, name) || isOurs(element, name);
}

/** @param {string | null} value */
function serverClass(value) {
  return (value ?? "").split(" ").filter((name) => name !== SCRIPT_CLASS).join(" ");
}

/** @param {Element} old @param {Element} fresh */
function syncClass(old, fresh) {
  const server = fresh.getAttribute("class") ?? "";
  if (serverClass(old.getAttribute("class")) === server) return false;
  const kept = old.classList.contains(SCRIPT_CLASS) ? `${server} ${SCRIPT_CLASS}`.trim() : server;
  if (kept) old.setAttribute("class", kept);
  else old.removeAttribute("class");
  return true;
}

/** The person's: whether something stands open. @param {Element} element @param {string} name */
function isTheirs(element, name) {
  return name === "open" && (element.localName === "details" || element.localName === "dialog");
}

/** The scripts'. @param {Element} element @param {string} name */
function isOurs(element, name) {
  if (OURS.has(name) || element.localName.includes("-")) return true;
  if (name === "disabled") return element.getAttribute("aria-busy") === "true";
  if (name === "aria-describedby") return element.hasAttribute("aria-invalid");
  // An element that only tabindex makes focusable would lose the focus with it.
  return name === "tabindex" && element.ownerDocument.activeElement === element;
}
