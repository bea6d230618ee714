import { make } from "../ui/pieces.js";
import { _ } from "../live/texts.js";

/**
 * The whole page takes files that are dropped on it.
 *
 * @param {Document} page
 * @param {(files: File[]) => void} take
 * @returns {() => void} stops it
 */
export function takeDrops(page, take) {
  const veil = make("div", { class: "drop-veil", hidden: true }, make("p", {}, _("Drop the files to upload them")));
  page.body.append(veil);
  const ending = new AbortController();
  const until = { signal: ending.signal };
  // Entering a child comes before leaving its parent.
  let depth = 0;
  const show = (/** @type {number} */ now) => {
    depth = now;
    veil.hidden = depth <= 0;
  };
  const on = (/** @type {string} */ name, /** @type {(event: DragEvent) => void} */ run) => {
    page.addEventListener(
      name,
      (event) => {
        const drag = /** @type {DragEvent} */ (event);
        if (!drag.dataTransfer?.types.includes("Files")) return;
        drag.preventDefault();
        run(drag);
      },
      until,
    );
  };
  on("dragenter", () => show(depth + 1));
  on("dragleave", () => show(depth - 1));
  on("dragover", () => {});
  on("drop", ({ dataTransfer }) => {
    show(0);
    take([...(dataTransfer?.files ?? [])]);
  });
  return () => {
    ending.abort();
    veil.remove();
  };
}
