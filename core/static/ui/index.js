import { Renewal } from "../library/renewal.js";
import { newId } from "../live/ids.js";
import { inLanguageOf } from "../live/language.js";
import { Arrange } from "./arrange.js";
import { Captions } from "./captions.js";
import { Commands } from "./commands.js";
import { Dialogs } from "./dialogs.js";
import { Forms } from "./forms.js";
import { Options } from "./options.js";
import { Picker } from "./picker.js";
import { PlayerKeys } from "./player_keys.js";
import { RowMenu } from "./row_menu.js";
import { Selection } from "./selection.js";
import { Shortcuts } from "./shortcuts.js";
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
  const around = {
    root: document,
    store,
    toasts,
    announce,
    fetch: inLanguageOf(document, window.fetch.bind(window)),
    online: () => navigator.onLine,
    /** @param {string} url */
    navigate: (url) => window.location.assign(url),
    here: () => window.location.pathname + window.location.search,
    newKey: newId,
    wall: () => Date.now(),
    upload: upload.send.bind(upload),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    location: window.location,
    history: window.history,
    languages: () => [...navigator.languages, document.documentElement.lang],
  };
  const commands = new Commands(around);
  const outside = { ...around, commands };
  const all = [Picker, Dialogs, Options, Forms, RowMenu, Selection, Arrange, Shortcuts, Captions, PlayerKeys];
  const screens = all.map((Screen) => new Screen(outside));
  for (const screen of [toasts, commands, ...screens]) screen.bind();
  new Renewal({ ...around, now: () => performance.now() }).bind();
  const left = toasts.showLeft((undo) => commands.offer(undo));
  if (left !== null) announce(left);
  return { toasts };
}

/** Reading `sessionStorage` throws where the browser refuses to store anything. */
export function sessionStorageIfAllowed() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
