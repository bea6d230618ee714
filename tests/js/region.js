/** A document for the morph under Node.js: the globals that its modules use, from jsdom. */

import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><main></main>", { pretendToBeVisual: true });
const elements = Object.getOwnPropertyNames(window).filter((name) => /^(HTML|SVG)\w*Element$/.test(name));
for (const name of [...elements, "AbortController", "MutationObserver", "document", "Element", "Node", "CharacterData", "Event"]) {
  globalThis[name] = window[name];
}

export const main = document.querySelector("main");

/** Shows *html* and nothing else, in a region of the page. */
export function show(html) {
  main.innerHTML = `<div id="region">${html}</div>`;
  return main.firstElementChild;
}

/** The element of this page that *selector* finds. */
export function find(selector) {
  return main.querySelector(selector);
}
