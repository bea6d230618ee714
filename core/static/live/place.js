import { KEYED } from "./identity.js";

const SCROLLS = new Set(["auto", "scroll"]);

/**
 * Where on the screen somebody is at work: the element that has the focus, or else what is under the
 * pointer. A browser anchors the scroll to what is read; not at the top of the page, and not to these.
 */
export class Place {
  #element;
  #top;

  /**
   * @param {Element} element
   * @param {number} top
   */
  constructor(element, top) {
    this.#element = element;
    this.#top = top;
  }

  /** @param {Document} document @returns {Place | null} null where nobody is at work, or not on screen */
  static of(document) {
    const element = focused(document) ?? [...document.querySelectorAll(":hover")].at(-1)?.closest(KEYED);
    if (!element) return null;
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > 0 && top < document.documentElement.clientHeight ? new Place(element, top) : null;
  }

  /** Scrolls so that it stands where it stood. */
  keep() {
    if (!this.#element.isConnected) return;
    const by = this.#element.getBoundingClientRect().top - this.#top;
    if (Math.abs(by) >= 1) scrollerOf(this.#element).scrollBy({ top: by, behavior: "instant" });
  }
}

/** @param {Document} document */
function focused({ activeElement, body }) {
  return activeElement === body || activeElement?.matches("main, dialog") ? null : activeElement;
}

/** @param {Element} element @returns {Element | Window} */
function scrollerOf(element) {
  for (let around = element.parentElement; around && around !== document.body; around = around.parentElement) {
    const scrolls = SCROLLS.has(getComputedStyle(around).overflowY);
    if (scrolls && around.scrollHeight > around.clientHeight) return around;
  }
  return window;
}
