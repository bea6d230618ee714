import { make } from "./pieces.js";
import { closeOnBackdrop } from "./sheet.js";
import { _ } from "../live/texts.js";

let count = 0;

/**
 * Ask before something that cannot be taken back.
 *
 * @param {string} question
 * @param {string} verb what the button that does it says
 * @returns {Promise<boolean>}
 */
export function confirmed(question, verb) {
  const id = `question-${(count += 1)}`;
  const cancel = make("button", { type: "button", class: "button" }, _("Cancel"));
  const go = make("button", { type: "button", class: "button danger" }, verb);
  const dialog = make(
    "dialog",
    { class: "confirm", "aria-labelledby": id },
    make("p", { id }, question),
    make("div", { class: "dialog-actions" }, cancel, go),
  );
  cancel.addEventListener("click", () => dialog.close());
  go.addEventListener("click", () => dialog.close("yes"));
  closeOnBackdrop(dialog);
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
