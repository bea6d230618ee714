import { _ } from "../live/texts.js";
import { preferred } from "./captions.js";
import { isAlone } from "./keyboard.js";

/**
 * Keys of a player that has the focus, beside the browser's own (space plays, arrows seek and change the
 * volume): `c` for captions, `f` for the whole screen, `m` for sound.
 */
export class PlayerKeys {
  #outside;
  /** @type {Record<string, (video: HTMLVideoElement) => void>} */
  #keys = {
    c: (video) => this.#turnCaptions(video),
    f: (video) => void this.#fill(video),
    m: (video) => this.#mute(video),
  };
  /** Which captions a player showed last. @type {WeakMap<HTMLVideoElement, TextTrack>} */
  #last = new WeakMap();

  /** @param {{root: Document, announce: (text: string) => void, languages: () => readonly string[]}} outside */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    this.#outside.root.addEventListener("keydown", (event) => this.#onKey(event), { signal: ending.signal });
    return () => ending.abort();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { target, key } = event;
    const run = this.#keys[key.toLowerCase()];
    if (!run || event.defaultPrevented || !isAlone(event)) return;
    if (!(target instanceof HTMLVideoElement) || !target.controls) return;
    event.preventDefault();
    run(target);
  }

  /** @param {HTMLVideoElement} video */
  #mute(video) {
    video.muted = !video.muted;
    this.#outside.announce(video.muted ? _("Sound off.") : _("Sound on."));
  }

  /** @param {HTMLVideoElement} video */
  async #fill(video) {
    const { root } = this.#outside;
    if (root.fullscreenElement === video) await root.exitFullscreen();
    // Refused where the browser or the page around ours allows none.
    else await video.requestFullscreen().catch(() => {});
  }

  /** @param {HTMLVideoElement} video */
  #turnCaptions(video) {
    const { announce } = this.#outside;
    const tracks = [...video.textTracks];
    const shown = tracks.find(({ mode }) => mode === "showing");
    if (shown) {
      this.#last.set(video, shown);
      for (const track of tracks) track.mode = "disabled";
      return announce(_("Captions off."));
    }
    const last = this.#last.get(video);
    const track = last && tracks.includes(last) ? last : preferred(video, this.#outside.languages());
    if (!track) return announce(_("This video has no captions."));
    track.mode = "showing";
    announce(_("Captions: {language}", { language: track.label }));
  }
}
