import { make } from "./pieces.js";
import { _ } from "../live/texts.js";

/** The bar of one upload, its percentage in words, and the way to call it off. */
export class UploadBar {
  #bar;
  #isOurs;
  #row;
  #words = make("span", { class: "hint" }, _("Starting"));

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} cancel
   */
  constructor(form, cancel) {
    const found = form.querySelector("progress");
    this.#isOurs = found === null;
    this.#bar = found ?? make("progress", { max: "100", "aria-label": _("Upload progress"), "data-live-aside": true });
    const button = make("button", { type: "button", class: "button quiet" }, _("Cancel upload"));
    button.addEventListener("click", cancel);
    this.#row = make("p", { class: "upload-state", "data-live-aside": true }, this.#words, " ", button);
    if (this.#isOurs) form.append(this.#bar);
    this.#bar.after(this.#row);
    this.#bar.max = 100;
    this.#bar.value = 0;
    this.#bar.hidden = false;
  }

  /**
   * @param {number} loaded bytes
   * @param {number} total bytes
   */
  show(loaded, total) {
    const percent = total > 0 ? Math.floor((loaded / total) * 100) : 0;
    this.#bar.value = percent;
    this.#words.textContent = percent < 100 ? _("{percent} % sent", { percent }) : _("Sent; the file is being checked");
  }

  remove() {
    this.#row.remove();
    if (this.#isOurs) this.#bar.remove();
    else this.#bar.hidden = true;
  }
}
