import { isPlain } from "./click.js";
import { confirmed } from "./confirmation.js";
import { focusOn } from "./focus.js";
import { Sheet } from "./sheet.js";
import { _ } from "../live/texts.js";

/**
 * @typedef {object} Surroundings
 * @property {Document | HTMLElement} root
 * @property {typeof fetch} fetch
 * @property {{show: (text: string, how?: {kind?: "problem"}) => unknown}} toasts
 * @property {() => boolean} online
 * @property {(url: string) => void} navigate
 */

/** Opens links in a sheet over the page (`a[data-dialog]`) and asks first (`button[data-confirm]`). */
export class Dialogs {
  #outside;
  /** @type {WeakSet<Element>} */
  #busy = new WeakSet();

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const { root } = this.#outside;
    root.addEventListener("click", (event) => this.#onClick(/** @type {MouseEvent} */ (event)), {
      signal: ending.signal,
    });
    return () => ending.abort();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    if (event.defaultPrevented || !(event.target instanceof Element)) return;
    const button = event.target.closest("button[data-confirm]");
    const link = event.target.closest("a[data-dialog], button[data-dialog]");
    if (button instanceof HTMLButtonElement && button.form) {
      event.preventDefault();
      if (!button.disabled) void this.#ask(button, button.form);
    } else if ((link instanceof HTMLAnchorElement || link instanceof HTMLButtonElement) && isPlain(event)) {
      event.preventDefault();
      if (!this.#busy.has(link)) void this.#open(link);
    }
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {HTMLFormElement} form
   */
  async #ask(button, form) {
    const verb = button.textContent?.trim() || button.getAttribute("aria-label") || _("Go on");
    const yes = await confirmed(button.dataset["confirm"] ?? "", verb);
    focusOn(button);
    if (!yes) return;
    if (button.isConnected && button.form === form) form.requestSubmit(button);
    else {
      const text = _("This changed while you were asked. Nothing was done; look at it again.");
      this.#outside.toasts.show(text, { kind: "problem" });
    }
  }

  /** @param {HTMLAnchorElement | HTMLButtonElement} link */
  async #open(link) {
    const { toasts, online, navigate } = this.#outside;
    this.#busy.add(link);
    link.setAttribute("aria-busy", "true");
    try {
      const page = await this.#read(addressOf(link));
      const main = page?.querySelector("main");
      if (!main) navigate(addressOf(link));
      else if (page?.querySelector(".error-sheet")) toasts.show(errorOf(main), { kind: "problem" });
      else this.#show(document.importNode(main, true), link);
    } catch {
      const text = online()
        ? _("The server cannot be reached. Try again in a moment.")
        : _("You are offline. Try again when the connection is back.");
      toasts.show(text, { kind: "problem" });
    } finally {
      this.#busy.delete(link);
      link.removeAttribute("aria-busy");
    }
  }

  /**
   * @param {string} href
   * @returns {Promise<Document | null>} null when something else than that page came: going there
   *   shows what
   */
  async #read(href) {
    const response = await this.#outside.fetch(href, {
      headers: { Accept: "text/html" },
      credentials: "same-origin",
    });
    const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
    if (response.redirected || !isPage) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  /**
   * @param {Element} main
   * @param {HTMLAnchorElement | HTMLButtonElement} link
   */
  #show(main, link) {
    const menu = /** @type {HTMLElement | null} */ (link.closest("[popover]"));
    menu?.hidePopover?.();
    new Sheet(main, link).open();
  }
}

/**
 * Where it leads: a button sends the fields of its form along.
 *
 * @param {HTMLAnchorElement | HTMLButtonElement} link
 */
function addressOf(link) {
  if (link instanceof HTMLAnchorElement) return link.href;
  const fields = [...new FormData(link.form ?? undefined)].map(([name, value]) => [name, String(value)]);
  const action = link.hasAttribute("formaction") ? link.formAction : (link.form?.action ?? "");
  return `${action}?${new URLSearchParams(fields)}`;
}

/** @param {Element} main of an error page */
function errorOf(main) {
  return main.querySelector(".lede")?.textContent?.trim() || _("This page cannot be shown.");
}
