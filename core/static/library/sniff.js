const NO_VIDEO = new Set(["avif", "avis", "heic", "heix", "heim", "heis", "mif1", "msf1"]);

/**
 * Whether a file begins like one that the library takes. The server looks again, and closer.
 *
 * @param {Blob} file
 * @returns {Promise<boolean>}
 */
export async function looksLikeMedia(file) {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...head);
  if (text.slice(4, 8) === "ftyp" && head.length === 12) return !NO_VIDEO.has(text.slice(8));
  if (text.startsWith("\x1aE\xdf\xa3")) return true;
  return text.startsWith("ID3") || (head[0] === 0xff && ((head[1] ?? 0) & 0xe6) === 0xe2);
}
