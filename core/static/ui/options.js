import { keyText, optionsOf } from "../live/keys.js";
import { isPlain } from "./click.js";
import { fieldsNamed, fieldsOf } from "./fields.js";

/** @typedef {string | number | boolean} Option */
/** @typedef {Record<string, Option>} Given */

const PAUSE_MS = 150;

/**
 * @typedef {object} Surroundings
 * @property {Document | HTMLElement} root
 * @property {typeof globalThis.setTimeout} setTimeout
 * @property {typeof globalThis.clearTimeout} clearTimeout
 * @property {Pick<Location, "href">} location
 * @property {Pick<History, "replaceState" | "state">} history
 */

/** Search, sort and page of a live region: fields and links set the options of its key. */
export class Options {
  #outside;
  /** @type {Map<HTMLFormElement, ReturnType<typeof setTimeout>>} */
  #waiting = new Map();

  /** @param {Surroundings} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const until = { signal: ending.signal };
    const { root } = this.#outside;
    for (const name of ["input", "change"]) {
      root.addEventListener(name, (event) => this.#onChange(event), until);
    }
    root.addEventListener("submit", (event) => this.#onSubmit(event), until);
    root.addEventListener("click", (event) => this.#onClick(/** @type {MouseEvent} */ (event)), until);
    return () => ending.abort();
  }

  /** @param {Event} event */
  #onChange({ target }) {
    const form = target instanceof Element ? target.closest("form") : null;
    if (!form?.hasAttribute("data-live-options")) return;
    const { setTimeout, clearTimeout } = this.#outside;
    clearTimeout(this.#waiting.get(form));
    this.#waiting.set(form, setTimeout(() => this.#apply(form), PAUSE_MS));
  }

  /** @param {Event} event */
  #onSubmit(event) {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-live-options")) return;
    event.preventDefault();
    this.#apply(form);
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const link = event.target instanceof Element ? event.target.closest("a[data-live-option]") : null;
    const region = link?.closest("live-region");
    if (!(link instanceof HTMLAnchorElement) || !region || !isPlain(event)) return;
    event.preventDefault();
    const form = this.#formOf(region);
    const asked = new URL(link.href).searchParams;
    const options = { ...optionsOf(region.getAttribute("key") ?? "") };
    for (const [name, text] of asked) assign(options, name, text, form);
    this.#set(region, options, form);
    bringIntoView(region);
  }

  /** @param {HTMLFormElement} form */
  #apply(form) {
    this.#outside.clearTimeout(this.#waiting.get(form));
    this.#waiting.delete(form);
    const region = document.querySelector(form.dataset["liveOptions"] ?? "");
    if (!region || !form.isConnected) return;
    const before = optionsOf(region.getAttribute("key") ?? "");
    const options = { ...before };
    for (const name of namesOf(form)) assign(options, name, textOf(form, name), form);
    if (keyText([options]) === keyText([before])) return;
    delete options["page"];
    this.#set(region, options, form);
  }

  /**
   * @param {Element} region
   * @param {Given} options
   * @param {HTMLFormElement | null} form
   */
  #set(region, options, form) {
    const text = region.getAttribute("key") ?? "";
    const had = optionsOf(text);
    const bare = Object.keys(had).length > 0 ? text.slice(0, text.lastIndexOf(":")) : text;
    const isBare = Object.keys(options).length === 0;
    const key = isBare ? bare : `${bare}:${keyText([options])}`;
    if (key === text) return;
    region.setAttribute("key", key);
    if (!form?.hasAttribute("data-history")) return;
    this.#remember([...Object.keys(had), ...namesOf(form)], options);
  }

  /**
   * Other parts of the page's query, such as how a list is shown, stay.
   *
   * @param {string[]} names
   * @param {Given} options
   */
  #remember(names, options) {
    const { location, history } = this.#outside;
    const url = new URL(location.href);
    for (const name of names) url.searchParams.delete(name);
    for (const [name, value] of Object.entries(options)) url.searchParams.set(name, String(value));
    history.replaceState(history.state, "", url);
  }

  /**
   * @param {Element} region
   * @returns {HTMLFormElement | null}
   */
  #formOf(region) {
    if (!region.id) return null;
    return document.querySelector(`form[data-live-options="#${CSS.escape(region.id)}"]`);
  }
}

/**
 * Set one option, or leave it out when it is the default: each key has one spelling.
 *
 * @param {Given} options
 * @param {string} name
 * @param {string} text
 * @param {HTMLFormElement | null} form whose fields know the types and defaults
 */
function assign(options, name, text, form) {
  const field = form ? fieldsNamed(form, name)[0] : undefined;
  const byDefault = field ? (field.dataset["default"] ?? "") : name === "page" ? "1" : "";
  if (text === "" || text === byDefault) delete options[name];
  else options[name] = field && field.type !== "number" ? text : typed(text);
}

/**
 * @param {string} text
 * @returns {Option}
 */
function typed(text) {
  if (/^(0|-?[1-9]\d{0,14})$/.test(text)) return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
}

/** @param {HTMLFormElement} form */
function namesOf(form) {
  return new Set(fieldsOf(form).map((field) => field.name).filter(Boolean));
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
function textOf(form, name) {
  const value = new FormData(form).get(name);
  return typeof value === "string" ? value.trim() : "";
}

/**
 * Another page of a list is read from its beginning.
 *
 * @param {Element} region
 */
function bringIntoView(region) {
  if (region.getBoundingClientRect().top < 0) region.scrollIntoView({ block: "start" });
}
