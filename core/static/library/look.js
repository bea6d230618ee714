import { still } from "./still.js";

/**
 * What a page sees in a file of its own before it sends it: nobody else has to open it for that.
 *
 * @typedef {{duration_s: number | null, width: number | null, height: number | null, poster: Blob | null}} Seen
 */

/** @type {Seen} */
const NOTHING = { duration_s: null, width: null, height: null, poster: null };
const PATIENCE_MS = 5_000;
/** Not the first frame, which is black so often. */
const POSTER_AT = 0.1;
const LATEST_S = 10;

/**
 * @param {Blob} file
 * @returns {Promise<Seen>} nothing of a file that this browser does not play, or not soon enough
 */
export async function look(file) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(file);
  try {
    return await Promise.race([seen(video, url), later(NOTHING)]);
  } catch {
    return NOTHING; // the server reads what it can, and a poster can be chosen at any time
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}

/**
 * @param {HTMLVideoElement} video
 * @param {string} url
 * @returns {Promise<Seen>}
 */
async function seen(video, url) {
  video.muted = true;
  video.preload = "auto";
  video.src = url;
  await event(video, "loadeddata");
  const { videoWidth: width, videoHeight: height, duration } = video;
  const known = Number.isFinite(duration) && duration > 0;
  const told = { duration_s: known ? duration : null, width: width || null, height: height || null };
  if (width === 0) return { ...told, poster: null };
  if (known) {
    video.currentTime = Math.min(duration * POSTER_AT, LATEST_S);
    await event(video, "seeked");
  }
  return { ...told, poster: await still(video, width, height) };
}

/**
 * @param {HTMLMediaElement} media
 * @param {string} name
 * @returns {Promise<void>}
 */
function event(media, name) {
  return new Promise((resolve, reject) => {
    media.addEventListener(name, () => resolve(), { once: true });
    media.addEventListener("error", () => reject(new Error("This browser does not play the file.")), { once: true });
  });
}

/**
 * @template T
 * @param {T} value
 * @returns {Promise<T>}
 */
function later(value) {
  return new Promise((resolve) => setTimeout(() => resolve(value), PATIENCE_MS));
}
