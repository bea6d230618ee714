/** Why a region moved with a notice, or did not: the server's words, asked for once each. */
export class Reasons {
  #fetch;

  /** @type {Map<string, Promise<string>>} */
  #asked = new Map();

  /** @param {{fetch: typeof window.fetch}} outside */
  constructor({ fetch }) {
    this.#fetch = fetch;
  }

  /**
   * Never rejects: what can go wrong is a sentence too.
   *
   * @param {import("./notices.js").Notice} notice
   * @param {string} key
   * @returns {Promise<string>}
   */
  of({ trace, stamp }, key) {
    const query = new URLSearchParams({ trace, stamp, key }).toString();
    const found = this.#asked.get(query) ?? this.#ask(query);
    this.#asked.set(query, found);
    return found;
  }

  /** @param {string} query */
  async #ask(query) {
    try {
      const response = await this.#fetch(`/live/why?${query}`, { headers: { Accept: "application/json" } });
      if (response.ok) return String((await response.json()).reason);
      this.#asked.delete(query);
      return `The server answered ${response.status}. Close this and open it again to ask once more.`;
    } catch {
      this.#asked.delete(query);
      return "The server does not answer. Close this and open it again to ask once more.";
    }
  }
}
