/**
 * `<live-indicator>`: whether what is on screen is live, in a mark and a word; details and
 * "Refresh now" in a popover, and "Pause live updates".
 */

/** @typedef {import("./status.js").Report} Report */
/** @typedef {import("./pause.js").Pause} Pause */
/** @typedef {{status: import("./status.js").Status, refresh: () => void, now: () => number, pause: Pick<Pause, "report" | "toggle" | "changed">}} Wiring now: wall clock */

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
  #toggle = document.createElement("button");

  /** @type {(() => void)[]} */
  #unsubscribe = [];

  connectedCallback() {
    const { status, pause } = LiveIndicator.wiring;
    if (this.childElementCount === 0) this.append(this.#button(), this.#popover());
    this.#unsubscribe = [
      status.changed.subscribe((report) => this.#show(report)),
      pause.changed.subscribe(() => this.#show(status.report)),
    ];
    this.#show(status.report);
  }

  disconnectedCallback() {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** @param {Report} report */
  #show({ state, since, signedOut }) {
    const time = inWords(since, LiveIndicator.wiring.now());
    const { word, details } = TEXTS[state];
    const { isOn, waiting } = LiveIndicator.wiring.pause.report;
    const changes = waiting === 1 ? "1 change" : `${waiting} changes`;
    this.dataset["state"] = state;
    this.#toggle.textContent = isOn ? "Resume live updates" : "Pause live updates";
    if (signedOut) {
      this.#word.textContent = "Signed out";
      this.#details.textContent = `What you see is as of ${time}. Sign in again to go on.`;
      return;
    }
    if (isOn && (state === "live" || state === "degraded")) {
      this.dataset["state"] = "paused";
      this.#word.textContent = waiting > 0 ? `Paused · ${changes} waiting` : "Paused";
      this.#details.textContent =
        `Nothing here moves by itself. ${waiting > 0 ? `${changes} by others` : "What others change"} ` +
        "will show when you resume.";
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
    this.#toggle.type = "button";
    this.#toggle.className = "button";
    this.#toggle.addEventListener("click", () => {
      LiveIndicator.wiring.pause.toggle();
      popover.hidePopover();
    });
    popover.append(this.#details, refresh, this.#toggle);
    refresh.addEventListener("click", () => {
      LiveIndicator.wiring.refresh();
      popover.hidePopover();
    });
    return popover;
  }
}
