import { _ } from "./texts.js";

/**
 * Says, once for the whole page, that the session has ended.
 *
 * The page stays as it is: what somebody typed is still theirs to copy, or to send after signing in
 * in another tab.
 */
export class SignInNotice {
  #document;

  /** @type {HTMLElement | null} */
  #notice = null;

  /**
   * @param {Document} document
   * @param {import("./status.js").Status} status
   */
  constructor(document, status) {
    this.#document = document;
    status.changed.subscribe(({ signedOut }) => {
      if (signedOut) this.#show();
      else this.#hide();
    });
  }

  #show() {
    if (this.#notice !== null) return;
    const { location } = this.#document;
    const link = this.#document.createElement("a");
    link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = _("Sign in again");
    const notice = this.#document.createElement("p");
    notice.className = "notice notice-bad";
    notice.setAttribute("role", "alert");
    const words = this.#document.createElement("span"); // one sentence: a notice sets its pieces apart
    words.append(_("You are signed out, so nothing can be saved or updated. "), link, ".");
    notice.append(words);
    const notices = this.#document.createElement("div");
    notices.className = "notices";
    notices.append(notice);
    this.#document.querySelector("main")?.before(notices);
    this.#notice = notices;
  }

  #hide() {
    this.#notice?.remove();
    this.#notice = null;
  }
}
