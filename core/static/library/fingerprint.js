const EDGE_BYTES = 65_536;

/**
 * SHA-256 of a file's size, in decimal, and of its first and last 64 KiB: known at once, whatever the
 * size. The server does the same (`plugins/media/sessions.py`).
 *
 * @param {Blob} file
 * @param {SubtleCrypto | undefined} subtle browsers have none on an insecure origin
 * @returns {Promise<string>} hex; empty where it cannot be known
 */
export async function fingerprint(file, subtle) {
  if (!subtle) return "";
  const edges = new Blob([
    String(file.size),
    file.slice(0, EDGE_BYTES),
    file.slice(Math.max(0, file.size - EDGE_BYTES)),
  ]);
  const digest = await subtle.digest("SHA-256", await edges.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
