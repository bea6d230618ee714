/**
 * The server's part of uploads.
 *
 * @typedef {{media_file_id: number, title: string, use_count: number}} SameFile
 * @typedef {object} Ticket
 * @property {string | null} upload_id
 * @property {number | null} media_file_id
 * @property {number | null} part_bytes
 * @property {boolean} direct parts go to the storage itself, each to an address that is asked for
 * @property {boolean} resumed
 * @property {SameFile[]} same_as
 * @typedef {object} Progress
 * @property {"receiving" | "checking" | "done" | "failed"} state
 * @property {string | null} problem
 * @property {number} part_bytes
 * @property {number[]} received numbers of parts
 * @typedef {object} Outcome
 * @property {Progress["state"]} state
 * @property {string | null} problem
 * @property {{media_file_id: number, title: string}} media
 * @property {SameFile[]} same_as
 */

import { _ } from "../live/texts.js";

/** What the server refused, in its words; `status` 0: nobody answered. */
export class Refused extends Error {
  status;

  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const PATIENCE_MS = 30_000;
/** Putting a large file together takes its time; after that, the client asks. */
const LONG_PATIENCE_MS = 120_000;

/** The addresses of an upload, over `fetch`; parts over XMLHttpRequest, which tells how far it is. */
export class Endpoint {
  #fetch;
  #newRequest;

  /**
   * @param {object} outside
   * @param {typeof globalThis.fetch} outside.fetch
   * @param {() => XMLHttpRequest} outside.newRequest
   */
  constructor({ fetch, newRequest }) {
    this.#fetch = fetch;
    this.#newRequest = newRequest;
  }

  /**
   * @param {Record<string, unknown>} file
   * @returns {Promise<Ticket>}
   */
  start(file) {
    return this.#act("start-upload", file, PATIENCE_MS);
  }

  /**
   * @param {string} id
   * @returns {Promise<Progress>}
   */
  async state(id) {
    return this.#json(`/media/uploads/${encodeURIComponent(id)}`, {}, PATIENCE_MS);
  }

  /**
   * @param {string} id
   * @returns {Promise<Outcome>}
   */
  complete(id) {
    return this.#act("complete-upload", { upload_id: id }, LONG_PATIENCE_MS);
  }

  /** @param {string} id */
  async cancel(id) {
    await this.#act("cancel-upload", { upload_id: id }, PATIENCE_MS);
  }

  /**
   * Send one part; rejects with an `AbortError` when *signal* says so.
   *
   * @param {string} id
   * @param {number} number
   * @param {Blob} part
   * @param {(sent: number) => void} progress bytes of this part
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  send(id, number, part, progress, signal) {
    const headers = { Accept: "application/json", "Content-Type": "application/octet-stream" };
    return this.#put({ url: partOf(id, number), headers }, part, progress, signal, refusal);
  }

  /**
   * The same, to where the storage takes it.
   *
   * @param {string} id
   * @param {number} number
   * @param {Blob} part
   * @param {(sent: number) => void} progress bytes of this part
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  async sendDirect(id, number, part, progress, signal) {
    const address = await this.#json(`${partOf(id, number)}/address`, { method: "POST" }, PATIENCE_MS);
    await this.#put(address, part, progress, signal, refusalOfStorage);
  }

  /**
   * @param {{url: string, headers: Record<string, string>}} address
   * @param {Blob} part
   * @param {(sent: number) => void} progress
   * @param {AbortSignal} signal
   * @param {(status: number, text: string) => Refused} refused
   * @returns {Promise<void>}
   */
  #put({ url, headers }, part, progress, signal, refused) {
    return new Promise((resolve, reject) => {
      const request = this.#newRequest();
      const stop = () => request.abort();
      request.upload.addEventListener("progress", ({ loaded }) => progress(Math.min(loaded, part.size)));
      request.addEventListener("load", () => {
        if (request.status === 204 || request.status === 200) resolve();
        else reject(refused(request.status, request.responseText));
      });
      request.addEventListener("error", () => reject(refused(0, "")));
      request.addEventListener("abort", () => reject(new DOMException("Stopped.", "AbortError")));
      request.addEventListener("loadend", () => signal.removeEventListener("abort", stop));
      signal.addEventListener("abort", stop);
      request.open("PUT", url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (signal.aborted) reject(new DOMException("Stopped.", "AbortError"));
      else request.send(part);
    });
  }

  /**
   * The file's poster. A file is no worse without one, so what is refused or lost is let go: another
   * can be chosen on its page.
   *
   * @param {string} id
   * @param {Blob} poster
   */
  async sendPoster(id, poster) {
    const init = { method: "PUT", body: poster, headers: { "Content-Type": poster.type } };
    await this.#fetch(`/media/uploads/${encodeURIComponent(id)}/poster`, {
      ...init,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).catch(() => null);
  }

  /**
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {number} patience_ms
   */
  async #act(name, body, patience_ms) {
    const headers = { "Content-Type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    return (await this.#json(`/a/media/${name}`, init, patience_ms)).result;
  }

  /**
   * @param {string} url
   * @param {RequestInit & {headers?: Record<string, string>}} init
   * @param {number} patience_ms
   */
  async #json(url, init, patience_ms) {
    let response, text;
    try {
      response = await this.#fetch(url, {
        ...init,
        headers: { ...init.headers, Accept: "application/json" },
        credentials: "same-origin",
        signal: AbortSignal.timeout(patience_ms),
      });
      text = await response.text();
    } catch {
      throw refusal(0, "");
    }
    if (!response.ok) throw refusal(response.status, text);
    try {
      return JSON.parse(text);
    } catch {
      throw refusal(502, "");
    }
  }
}

/**
 * @param {string} id
 * @param {number} number
 */
function partOf(id, number) {
  return `/media/uploads/${encodeURIComponent(id)}/parts/${number}`;
}

/**
 * Whatever a storage refuses, another address may mend: one expires, and an upload there can end.
 *
 * @param {number} status
 */
function refusalOfStorage(status) {
  const words = status === 0 ? _("The file storage cannot be reached.") : _("The file storage refused a part ({status}).", { status });
  return new Refused(status === 0 ? 0 : 503, words);
}

/**
 * @param {number} status
 * @param {string} text
 */
function refusal(status, text) {
  try {
    const { detail } = JSON.parse(text);
    if (typeof detail === "string") return new Refused(status, detail);
  } catch {
    // a proxy's own page, or nothing at all
  }
  const words =
    status === 413
      ? _("A proxy in between refuses parts of this size. Tell those who run this site.")
      : _("The server cannot be reached.");
  return new Refused(status, words);
}
