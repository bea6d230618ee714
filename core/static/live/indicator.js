/**
 * `<live-indicator>`: whether what is on screen is live, in a mark and a word; details and
 * "Refresh now" in a popover, and "Pause live updates".
 */

import { _, language, ngettext } from "./texts.js";

/** @typedef {import("./status.js").Report} Report */
/** @typedef {import("./pause.js").Pause} Pause */
/** @typedef {{status: import("./status.js").Status, refresh: () => void, now: () => number, pause: Pick<Pause, "report" | "toggle" | "changed">}} Wiring now: wall clock */

/** In words, when they are shown. @returns {Record<import("./status.js").Word, {word: string, details: string}>} */
function texts() {
  return {
    live: { word: _("Live"), details: _("Changes show here at once.") },
    connecting: { word: _("Connecting"), details: _("The connection is being opened.") },
    reconnecting: {
      word: _("Reconnecting"),
      details: _("The connection was lost and is being opened again. What changed meanwhile then shows here."),
    },
    degraded: {
      word: _("Degraded"),
      details: _("Changes do not arrive by themselves right now. This page asks for them every few seconds."),
    },
    offline: {
      word: _("Offline"),
      details: _("There is no network. What changes elsewhere shows here when it is back."),
    },
    stale: {
      word: _("May be out of date"),
      details: _("The server does not answer. It is tried again and again; you can also refresh now."),
    },
  };
}

/**
 * A page that slept overnight is not as of this noon.
 *
 * @param {number} since
 * @param {number} now
 */
function inWords(since, now) {
  // English is written without the order of day and month that one country has.
  const locale = language() === "en" ? "en-GB" : language();
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
  const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(since);
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
    const { word, details } = texts()[state];
    const { isOn, waiting } = LiveIndicator.wiring.pause.report;
        this.dataset["state"] = state;
    this.#toggle.textContent = isOn ? _("Resume live updates") : _("Pause live updates");
    if (signedOut) {
      this.#word.textContent = _("Signed out");
      this.#details.textContent = _("What you see is as of {time}. Sign in again to go on.", { time });
      return;
    }
    if (isOn && (state === "live" || state === "degraded")) {
      this.dataset["state"] = "paused";
      this.#word.textContent = waiting > 0 ? ngettext("Paused · {num} change waiting", "Paused · {num} changes waiting", waiting) : _("Paused");
      this.#details.textContent =
        waiting > 0
          ? ngettext(
              "Nothing here moves by itself. {num} change by others will show when you resume.",
              "Nothing here moves by itself. {num} changes by others will show when you resume.",
              waiting,
            )
          : _("Nothing here moves by itself. What others change will show when you resume.");
      return;
    }
    this.#word.textContent = state === "stale" ? _("May be out of date since {time}", { time }) : word;
    this.#details.textContent = state === "offline" ? [details, _("What you see is as of {time}.", { time })].join(" ") : details;
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
    refresh.textContent = _("Refresh now");
    const popover = document.createElement("div");
    popover.id = "live-details";
    popover.className = "menu live-details";
    popover.setAttribute("popover", "");
    popover.setAttribute("role", "group");
    popover.setAttribute("aria-label", _("Connection"));
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
