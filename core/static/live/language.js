/** The language of the page: whatever it asks of its own site is answered in it. */

export const HEADER = "Live-Language";

/**
 * `fetch`, which says which language the page is in. So a page stays in one language until it is
 * left, also when another is chosen in another tab meanwhile.
 *
 * @param {Document} document
 * @param {typeof window.fetch} fetch
 * @returns {typeof window.fetch}
 */
export function inLanguageOf(document, fetch) {
  return (input, init = {}) => {
    const { lang } = document.documentElement;
    if (lang === "" || typeof input !== "string" || !isOurs(input, document)) return fetch(input, init);
    const headers = new Headers(init.headers);
    headers.set(HEADER, lang);
    return fetch(input, { ...init, headers });
  };
}

/**
 * A storage elsewhere takes no headers of ours.
 *
 * @param {string} address
 * @param {Document} document
 */
function isOurs(address, { baseURI }) {
  return new URL(address, baseURI).origin === new URL(baseURI).origin;
}
