/** Pieces of markup that several screens make; templates/pieces.html is their other half. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * A new element. An attribute that is `true` is set empty, one that is `false` is left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/**
 * @param {string} name of a symbol in /static/icons.svg
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * @param {string} label what it closes, for those who hear the page
 * @returns {HTMLButtonElement}
 */
export function closeButton(label) {
  return make("button", { type: "button", class: "icon-button", "aria-label": label }, icon("close"));
}
