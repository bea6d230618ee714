/** One sending of a form. */
export class Submission {
  /** @type {HTMLFormElement} */
  form;
  /** @type {string} */
  url;
  /** @type {FormData} */
  data;
  /** @type {string} */
  key;

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement | null} submitter
   * @param {() => string} newKey
   * @param {Submission} [unanswered] the sending before, if no answer to it arrived: when this one
   *   says the same, it takes its key, and the server does it once
   */
  constructor(form, submitter, newKey, unanswered) {
    this.form = form;
    this.url = submitter?.getAttribute("formaction") || form.getAttribute("action") || "";
    this.data = new FormData(form, submitter);
    this.key = unanswered?.text === this.text ? unanswered.key : newKey();
  }

  /** Everything that is sent, in words; a file is its name, size and time. */
  get text() {
    const entries = [...this.data].map(([name, value]) =>
      typeof value === "string" ? [name, value] : [name, value.name, value.size, value.lastModified],
    );
    return JSON.stringify([this.url, entries]);
  }

  get headers() {
    return { Accept: "application/json", "Idempotency-Key": this.key };
  }

  /**
   * Without a file, the shorter encoding.
   *
   * @returns {FormData | URLSearchParams}
   */
  get body() {
    const texts = new URLSearchParams();
    for (const [name, value] of this.data) {
      if (typeof value !== "string") return this.data;
      texts.append(name, value);
    }
    return texts;
  }
}
