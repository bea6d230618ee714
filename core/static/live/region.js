/**
 * `<live-region key="chapters:list:42" stamp="…" data-access="edit">`: a piece of a page bound to
 * one key. What it fetches, what it watches and what it shows is that key, so they cannot disagree.
 * Setting the attribute `key` makes it show that other key. One that is `lazy` shows nothing until
 * it is on screen. A long one has a `tag`, the ETag of the html that the page shows; a moment later it
 * asks for that html, so that of every change only what is new has to be sent and parsed.
 *
 * Events, all bubbling:
 *
 *     live:before-update   cancelable: the new content is dropped
 *     live:updated         {key, stamp, ms, cause, trace, own, changes}
 *     live:error           {key, status, error}
 */

import { morph } from "./morph.js";
import { Place } from "./place.js";
import { Shown as Html } from "./shown.js";
import { Stamp } from "./stamps.js";
import { withdraw } from "./withdraw.js";
import { _ } from "./texts.js";

/** @typedef {import("./watched.js").Shown} Shown */
/** @typedef {{store: import("./store.js").Store, clock: import("./clock.js").Clock}} Wiring */

const BUSY_AFTER_MS = 200;
const LEARN_AFTER_MS = 1000;

export class LiveRegion extends HTMLElement {
  static observedAttributes = ["key"];

  /** Set before the element is defined; elements are made by the browser, which passes nothing. @type {Wiring} */
  static wiring;

  /** @type {(() => void) | null} */
  #unwatch = null;
  #cancelBusy = () => {};
  #cancelLearning = () => {};

  /** @type {Shown | null} what came while something here was being dragged */
  #held = null;

  /** @type {MutationObserver | null} */
  #drop = null;

  /** @type {IntersectionObserver | null} */
  #sight = null;

  connectedCallback() {
    if (this.hasAttribute("lazy") && !this.hasAttribute("stamp")) this.#await();
    else {
      this.#watch(false);
      if (this.hasAttribute("tag")) this.#learnLater();
    }
  }

  disconnectedCallback() {
    this.#leave();
  }

  /** `moveBefore` calls this instead of the two above: nothing ends and nothing begins. */
  connectedMoveCallback() {}

  /**
   * @param {string} _name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(_name, before, after) {
    if (this.#unwatch === null || before === after) return;
    this.#leave();
    this.#watch(true);
  }

  /** It is read once it is on screen; one that a narrow window hides never is. */
  #await() {
    this.#sight = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      this.#sight?.disconnect();
      this.#watch(true);
    });
    this.#sight.observe(this);
  }

  #learnLater() {
    Html.expect(this);
    const { clock, store } = LiveRegion.wiring;
    this.#cancelLearning = clock.after(LEARN_AFTER_MS, () => store.learn(this.getAttribute("key") ?? ""));
  }

  /** @param {boolean} empty whether nothing of the key is shown yet */
  #watch(empty) {
    const key = this.getAttribute("key");
    if (!key) return;
    const stamp = empty ? null : Stamp.parse(this.getAttribute("stamp"));
    const { store } = LiveRegion.wiring;
    this.#unwatch = store.watch(key, stamp, (update) => this.#take(update), { empty });
  }

  #leave() {
    this.#sight?.disconnect();
    this.#cancelLearning();
    this.#unwatch?.();
    this.#unwatch = null;
    this.#rest();
    this.#held = null;
    this.#drop?.disconnect();
  }

  /** @param {import("./watched.js").Update} update */
  #take(update) {
    if (update.kind === "waiting") return this.#busy();
    this.#rest();
    switch (update.kind) {
      case "shown":
        return this.#show(update);
      case "same":
        return this.#stamp(update.stamp);
      case "gone":
        return this.#gone();
      case "signed-out":
        this.#signedOut();
        return this.#complain(401);
      case "failed":
        return this.#complain(update.status);
    }
  }

  /** @param {Shown} update */
  #show(update) {
    const { answer, want } = update;
    const { key, stamp } = answer;
    // Another region of this key was older than this one, and is brought up to date.
    if (key === this.getAttribute("key") && stamp?.isBefore(Stamp.parse(this.getAttribute("stamp")))) return;
    const tag = this.getAttribute("tag");
    if (tag !== null && answer.etag?.includes(tag)) {
      Html.learn(this, answer.html);
      return this.#stamp(stamp);
    }
    const { cause, trace, own, since } = want;
    const detail = { key, stamp: stamp && String(stamp), cause, trace };
    if (!this.#dispatch("live:before-update", detail, true)) return;
    const place = own ? null : Place.of(this.ownerDocument);
    const changes = morph(this, answer.html);
    if (changes === null) return this.#hold(update);
    place?.keep();
    this.removeAttribute("tag");
    this.#move(key, stamp);
    this.dataset["access"] = answer.access;
    delete this.dataset["state"];
    const ms = LiveRegion.wiring.clock.now() - since;
    this.#dispatch("live:updated", { ...detail, ms, own, changes });
  }

  /**
   * @param {string} key
   * @param {Stamp | null} stamp
   */
  #move(key, stamp) {
    this.#stamp(stamp);
    if (stamp === null) this.removeAttribute("stamp");
    if (key === this.getAttribute("key")) return;
    this.#leave();
    this.setAttribute("key", key);
    this.#watch(false);
  }

  /** @param {Stamp | null} stamp */
  #stamp(stamp) {
    if (stamp !== null) this.setAttribute("stamp", String(stamp));
  }

  /**
   * What is under the pointer stays until it is dropped.
   *
   * @param {Shown} update
   */
  #hold(update) {
    this.#held = update;
    this.#drop ??= new MutationObserver(() => {
      const held = this.#held;
      this.#held = null;
      this.#drop?.disconnect();
      if (held !== null) this.#show(held);
    });
    this.#drop.observe(this, { subtree: true, attributeFilter: ["data-dragging"] });
  }

  /** What was shown may be nobody's business any more, so it goes with the right to see it. */
  #gone() {
    const text = document.createElement("p");
    text.textContent = _("This was removed, or you may no longer see it.");
    const link = document.createElement("a");
    link.href = "/";
    link.textContent = _("Go to your courses");
    const notice = document.createElement("div");
    notice.className = "notice notice-away";
    notice.setAttribute("role", "status");
    notice.append(text, link);
    this.#withdraw(notice);
    this.dataset["state"] = "gone";
    this.#dispatch("live:gone", { key: this.getAttribute("key") });
  }

  /** Whoever sits here now may be somebody else. */
  #signedOut() {
    if (this.dataset["state"] === "signed-out") return;
    const notice = document.createElement("p");
    notice.className = "notice notice-away";
    notice.textContent = _("You are signed out, so this is no longer shown.");
    this.#withdraw(notice);
  }

  /**
   * Take off what is shown, and say why; what somebody typed here is left to them.
   *
   * @param {HTMLElement} notice
   */
  #withdraw(notice) {
    withdraw(this);
    if (!this.closest("[data-live-quiet]")) this.prepend(notice);
    this.removeAttribute("tag");
    this.removeAttribute("stamp");
  }

  /** @param {number} status */
  #complain(status) {
    this.dataset["state"] = status === 401 ? "signed-out" : "failed";
    const tag = /** @type {HTMLElement} */ (this.cloneNode(false)).outerHTML.replace("</live-region>", "");
    const what = status === 0 ? "the server cannot be reached" : `the server answered ${status}`;
    this.#dispatch("live:error", { key: this.getAttribute("key"), status, error: new Error(`${tag}: ${what}`) });
  }

  #busy() {
    this.#cancelBusy();
    this.#cancelBusy = LiveRegion.wiring.clock.after(BUSY_AFTER_MS, () => this.setAttribute("aria-busy", "true"));
  }

  #rest() {
    this.#cancelBusy();
    this.removeAttribute("aria-busy");
  }

  /**
   * @param {string} name
   * @param {object} detail
   * @param {boolean} [cancelable]
   */
  #dispatch(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(name, { bubbles: true, cancelable, detail }));
  }
}
