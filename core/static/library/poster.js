import { still } from "./still.js";
import { _ } from "../live/texts.js";

const FORM = "form[data-poster-form]";

/**
 * The poster of a file's page: the frame that the player shows, or a picture, made small.
 *
 * @param {Document} page
 * @returns {() => void} stops it
 */
export function takePosters(page) {
  const ending = new AbortController();
  const until = { signal: ending.signal };
  page.addEventListener("click", (event) => void onClick(event), until);
  page.addEventListener("change", (event) => void onChange(event), until);
  return () => ending.abort();
}

/** @param {Event} event */
async function onClick({ target }) {
  const button = target instanceof Element ? target.closest("[data-poster-frame]") : null;
  const form = /** @type {HTMLFormElement | null} */ (button?.closest(FORM) ?? null);
  const video = document.getElementById(button?.getAttribute("data-poster-frame") ?? "");
  if (!form || !(video instanceof HTMLVideoElement)) return;
  const picture = await frame(video);
  if (picture) put(form, picture)?.form?.requestSubmit();
  else complain(form, video);
}

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob | null>} null where there is none, or the browser may not read it
 */
async function frame(video) {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
  try {
    return await still(video, video.videoWidth, video.videoHeight);
  } catch (error) {
    if (error instanceof DOMException && error.name === "SecurityError") return null;
    throw error;
  }
}

/** What somebody chose becomes a small picture of a kind that is taken. @param {Event} event */
async function onChange({ target }) {
  if (!(target instanceof HTMLInputElement) || !target.matches(`${FORM} input[type=file]`)) return;
  const file = target.files?.[0];
  if (!file || !target.form) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return; // no picture: the server says so, in words
  }
  const picture = await still(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  if (picture && target.files?.[0] === file) put(target.form, picture);
}

/**
 * @param {HTMLFormElement} form
 * @param {Blob} picture
 * @returns {HTMLInputElement | null}
 */
function put(form, picture) {
  const input = /** @type {HTMLInputElement | null} */ (form.querySelector("input[type=file]"));
  if (!input) return null;
  const files = new DataTransfer();
  files.items.add(new File([picture], `poster.${picture.type.split("/")[1]}`, { type: picture.type }));
  input.files = files.files;
  return input;
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLVideoElement} video
 */
function complain(form, video) {
  const place = form.querySelector("[data-errors]");
  if (!place) return;
  const words = document.createElement("p");
  words.className = "problem";
  words.setAttribute("role", "alert");
  words.textContent =
    video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA
      ? _("The player shows no frame yet. Play the video, pause where the poster is, and try again.")
      : _("The browser may not read this player’s picture. Choose a picture instead.");
  place.replaceChildren(words);
}
