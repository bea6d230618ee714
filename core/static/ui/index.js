import { newId } from "../live/ids.js";
import { Dialogs } from "./dialogs.js";
import { Forms } from "./forms.js";
import { Options } from "./options.js";
import { Picker } from "./picker.js";
import { Toasts } from "./toasts.js";
import { Upload } from "./upload.js";

/** @typedef {import("./forms.js").Store} Store */

/**
 * Bind everything that the screens rely on to the document.
 *
 * @param {{store: Store, announce: (text: string) => void}} engine
 */
export function startScreens({ store, announce }) {
  const toasts = new Toasts({
    element: document.getElementById("toasts") ?? document.body.appendChild(document.createElement("div")),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    storage: sessionStorageIfAllowed(),
  });
  const upload = new Upload({ newRequest: () => new XMLHttpRequest(), window });
  const outside = {
    root: document,
    store,
    toasts,
    announce,
    fetch: window.fetch.bind(window),
    online: () => navigator.onLine,
    /** @param {string} url */
    navigate: (url) => window.location.assign(url),
    here: () => window.location.pathname + window.location.search,
    newKey: newId,
    upload: upload.send.bind(upload),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    location: window.location,
    history: window.history,
  };
  for (const screen of [toasts, new Picker(outside), new Dialogs(outside), new Options(outside), new Forms(outside)]) {
    screen.bind();
  }
  const left = toasts.showLeft();
  if (left !== null) announce(left);
  return { toasts };
}

/** Reading `sessionStorage` throws where the browser refuses to store anything. */
function sessionStorageIfAllowed() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
