/**
 * `<live-indicator>`: whether what is on screen is live, in a mark and a word; details and
 * "Refresh now" in a popover.
 */

/** @typedef {import("./status.js").Report} Report */
/** @typedef {{status: import("./status.js").Status, refresh: () => void, now: () => number}} Wiring now: wall clock */

/** @type {Record<import("./status.js").Word, {word: string, details: string}>} */
const TEXTS = {
  live: { word: "Live", details: "Changes show here at once." },
  connecting: { word: "Connecting", details: "The connection is being opened." },
  reconnecting: {
    word: "Reconnecting",
    details: "The connection was lost and is being opened again. What changed meanwhile then shows here.",
  },
  degraded: {
    word: "Degraded",
    details: "Changes do not arrive by themselves right now. This page asks for them every few seconds.",
  },
  offline: {
    word: "Offline",
    details: "There is no network. What changes elsewhere shows here when it is back.",
  },
  stale: {
    word: "May be out of date",
    details: "The server does not answer. It is tried again and again; you can also refresh now.",
  },
};

/**
 * A page that slept overnight is not as of this noon.
 *
 * @param {number} since
 * @param {number} now
 */
function inWords(since, now) {
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(since);
  return day.format(since) === day.format(now) ? time : `${day.format(since)}, ${time}`;
}

export class LiveIndicator extends HTMLElement {
  /** Set before the element is defined. @type {Wiring} */
  static wiring;

  #word = document.createElement("span");
  #details = document.createElement("p");

  /** @type {(() => void) | null} */
  #unsubscribe = null;

  connectedCallback() {
    const { status } = LiveIndicator.wiring;
    if (this.childElementCount === 0) this.append(this.#button(), this.#popover());
    this.#unsubscribe = status.changed.subscribe((report) => this.#show(report));
    this.#show(status.report);
  }

  disconnectedCallback() {
    this.#unsubscribe?.();
  }

  /** @param {Report} report */
  #show({ state, since, signedOut }) {
    const time = inWords(since, LiveIndicator.wiring.now());
    const { word, details } = TEXTS[state];
    this.dataset["state"] = state;
    if (signedOut) {
      this.#word.textContent = "Signed out";
      this.#details.textContent = `What you see is as of ${time}. Sign in again to go on.`;
      return;
    }
    this.#word.textContent = state === "stale" ? `${word} since ${time}` : word;
    this.#details.textContent = state === "offline" ? `${details} What you see is as of ${time}.` : details;
  }

  #button() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "live-button";
    button.setAttribute("popovertarget", "live-details");
    const dot = document.createElement("span");
    dot.className = "live-dot";
    dot.setAttribute("aria-hidden", "true");
    this.#word.className = "live-word";
    button.append(dot, this.#word);
    return button;
  }

  #popover() {
    const refresh = document.createElement("button");
    refresh.type = "button";
    refresh.className = "button";
    refresh.textContent = "Refresh now";
    const popover = document.createElement("div");
    popover.id = "live-details";
    popover.className = "menu live-details";
    popover.setAttribute("popover", "");
    popover.setAttribute("role", "group");
    popover.setAttribute("aria-label", "Connection");
    popover.append(this.#details, refresh);
    refresh.addEventListener("click", () => {
      LiveIndicator.wiring.refresh();
      popover.hidePopover();
    });
    return popover;
  }
}
