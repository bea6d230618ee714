/** Still pictures, small enough to be posters: of a video that plays, of a picture, of a file. */

const WIDEST = 1280;
const QUALITY = 0.85;

/**
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Blob | null>} WebP, or JPEG where the browser writes no WebP; null where it can do neither
 */
export async function still(source, width, height) {
  if (!(width > 0 && height > 0)) return null;
  const scale = Math.min(1, WIDEST / width);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d")?.drawImage(source, 0, 0, canvas.width, canvas.height);
  const picture = await encoded(canvas, "image/webp");
  return picture?.type === "image/webp" ? picture : encoded(canvas, "image/jpeg");
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} type
 * @returns {Promise<Blob | null>} raises a `SecurityError` for a video of another origin
 */
function encoded(canvas, type) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, QUALITY));
}
