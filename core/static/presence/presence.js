/**
 * Says that this tab has the course open, and in which chapter somebody works there.
 *
 * 1. Only while the page is looked at: a tab in the background is nobody. It stops saying so, and
 *    what it said last ends by itself.
 * 2. A chapter is where somebody last pressed or went with the keyboard. A dialog that was opened
 *    from it, and what floats over the page, is no other place.
 * 3. Who walks through the chapters is not followed at every step, and who left the keyboard works
 *    in none.
 */

const AGAIN_MS = 15_000; // the server believes it for 35 s
const SETTLE_MS = 800;
const IDLE_MS = 120_000;
const FLOATS = "dialog, #toasts, .site-header, .library-tray";

/** @typedef {{course_id: number, tab: string, chapter_id?: number | null, leaves?: boolean}} Said */

/**
 * @typedef {object} Outside
 * @property {number} course_id
 * @property {string} tab
 * @property {(said: Said) => Promise<boolean>} say false: there is nobody to say it to any more
 * @property {(said: Said) => void} leave says it while the page goes away
 * @property {import("../live/clock.js").Clock} clock
 * @property {() => number} random
 * @property {Document} document
 * @property {Window} window
 */

export class Presence {
  #outside;

  /** @type {number | null} */
  #chapter = null;

  /** @type {number | null | undefined} what was said last; undefined: nothing */
  #said;

  #activeAt = 0;
  #cancel = () => {};

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  start() {
    const { document, window, clock } = this.#outside;
    this.#activeAt = clock.now();
    document.addEventListener("pointerdown", (event) => this.#notice(event.target), { passive: true });
    document.addEventListener("focusin", (event) => this.#notice(event.target));
    document.addEventListener("keydown", () => (this.#activeAt = clock.now()), { passive: true });
    document.addEventListener("visibilitychange", () => this.#look());
    window.addEventListener("pageshow", (event) => event.persisted && this.#look());
    window.addEventListener("pagehide", () => this.#leave());
    this.#look();
  }

  #look() {
    this.#cancel();
    if (!this.#outside.document.hidden) void this.#say();
  }

  /** @param {EventTarget | null} target */
  #notice(target) {
    const { clock, document } = this.#outside;
    this.#activeAt = clock.now();
    if (!(target instanceof Element) || target === document.body || target.closest(FLOATS)) return;
    this.#chapter = chapterOf(target);
    if (this.#chapter !== this.#said && !document.hidden) this.#sayAfter(SETTLE_MS);
  }

  async #say() {
    const { course_id, tab, say, clock, random, document } = this.#outside;
    if (clock.now() - this.#activeAt > IDLE_MS) this.#chapter = null;
    const chapter_id = (this.#said = this.#chapter);
    this.#sayAfter((0.8 + 0.2 * random()) * AGAIN_MS);
    if (!(await say({ course_id, tab, chapter_id }))) this.#cancel();
    else if (document.hidden) this.#cancel();
  }

  /** @param {number} ms */
  #sayAfter(ms) {
    this.#cancel();
    this.#cancel = this.#outside.clock.after(ms, () => {
      if (!this.#outside.document.hidden) void this.#say();
    });
  }

  #leave() {
    const { course_id, tab, leave } = this.#outside;
    this.#cancel();
    this.#said = undefined;
    leave({ course_id, tab, leaves: true });
  }
}

/** @param {Element} element @returns {number | null} the id of the chapter whose card it is in */
function chapterOf(element) {
  const card = element.closest("li.chapter");
  return card === null ? null : Number(card.id.slice("chapter-".length)) || null;
}
