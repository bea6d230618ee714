/**
 * The inspector: why this page moved, and why parts of it did not. A page loads it when somebody
 * asks for it; who may look, the server decides, at each of its answers.
 */

import { make } from "../ui/pieces.js";
import { Findings } from "./findings.js";
import { Journal } from "./journal.js";
import { Panel } from "./panel.js";
import { Reasons } from "./reasons.js";
import { regionsOf } from "./regions.js";

/**
 * @typedef {object} Outside
 * @property {Document} document
 * @property {typeof window.fetch} fetch
 * @property {import("../live/clock.js").Clock} clock
 * @property {import("../live/signal.js").Signal<import("../live/sights.js").Sight>} sights
 */

export class Inspector {
  #outside;

  /** @type {{panel: Panel, journal: Journal, findings: Findings, before: Element | null} | null} */
  #open = null;

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
    style(outside.document);
  }

  get isOpen() {
    return this.#open !== null;
  }

  open() {
    if (this.#open !== null) return this.#open.panel.focus();
    const { document, fetch, clock, sights } = this.#outside;
    const isHidden = () => document.hidden;
    const journal = new Journal({ fetch, clock, sights, isHidden });
    const findings = new Findings({ fetch, clock, isHidden });
    const panel = new Panel({
      findings: findings.element,
      regions: () => regionsOf(document),
      reasons: new Reasons({ fetch }),
      clock,
      close: () => this.close(),
    });
    journal.changed.subscribe((entries) => panel.show(entries));
    journal.answered.subscribe((status) => panel.answered(status));
    this.#open = { panel, journal, findings, before: document.activeElement };
    document.body.append(panel.element);
    document.documentElement.dataset["inspecting"] = "";
    journal.start();
    findings.start();
    panel.focus();
  }

  close() {
    if (this.#open === null) return;
    const { panel, journal, findings, before } = this.#open;
    this.#open = null;
    const hadFocus = panel.element.contains(this.#outside.document.activeElement);
    journal.stop();
    findings.stop();
    panel.element.remove();
    delete this.#outside.document.documentElement.dataset["inspecting"];
    if (hadFocus && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    this.#outside.document.dispatchEvent(new CustomEvent("inspect:closed"));
  }
}

/** Its stylesheet, once. @param {Document} document */
export function style(document) {
  const href = new URL("./inspect.css", import.meta.url).pathname;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(make("link", { rel: "stylesheet", href }));
}
