/**
 * Captions in the language of the one who watches: where the author marked none as shown by default, those
 * are shown whose language the browser prefers. Whoever turns them off, or chooses others, is left alone.
 */
export class Captions {
  #outside;
  /** Players, with the captions they had when they were met. @type {WeakMap<HTMLVideoElement, string>} */
  #met = new WeakMap();

  /** @param {{root: Document, languages: () => readonly string[]}} outside the languages: preferred ones first */
  constructor(outside) {
    this.#outside = outside;
  }

  /** @returns {() => void} stops it */
  bind() {
    const ending = new AbortController();
    const { root } = this.#outside;
    root.addEventListener("live:updated", () => this.#meetAll(), { signal: ending.signal });
    this.#meetAll();
    return () => ending.abort();
  }

  #meetAll() {
    for (const video of this.#outside.root.querySelectorAll("video:has(> track)")) {
      if (video instanceof HTMLVideoElement) this.#meet(video);
    }
  }

  /** @param {HTMLVideoElement} video */
  #meet(video) {
    const tracks = [...video.querySelectorAll("track")];
    const now = tracks.map(({ srclang, default: marked }) => `${srclang}${marked ? "*" : ""}`).join();
    if (this.#met.get(video) === now) return;
    this.#met.set(video, now);
    if (tracks.some((each) => each.default || each.track.mode === "showing")) return;
    const track = spoken(video, this.#outside.languages());
    if (track) track.mode = "showing";
  }
}

/**
 * The captions of a player that its author marked, else those in the language that is preferred, else the first.
 *
 * @param {HTMLVideoElement} video
 * @param {readonly string[]} languages
 * @returns {TextTrack | null}
 */
export function preferred(video, languages) {
  const marked = video.querySelector("track[default]");
  if (marked instanceof HTMLTrackElement) return marked.track;
  return spoken(video, languages) ?? video.querySelector("track")?.track ?? null;
}

/** @param {HTMLVideoElement} video @param {readonly string[]} languages @returns {TextTrack | null} */
function spoken(video, languages) {
  const tracks = [...video.querySelectorAll("track")];
  const language = best(tracks.map(({ srclang }) => srclang), languages);
  return tracks.find(({ srclang }) => srclang === language)?.track ?? null;
}

/**
 * The one of *offered* that fits best: the first preferred language that is there itself, or in another
 * variety (pt-BR for pt), counts. Languages are written as in HTML.
 *
 * @param {readonly string[]} offered
 * @param {readonly string[]} preferred
 * @returns {string | null}
 */
export function best(offered, preferred) {
  for (const wanted of preferred.map((each) => each.toLowerCase())) {
    const same = offered.find((each) => each.toLowerCase() === wanted);
    const alike = offered.find((each) => base(each) === base(wanted));
    if (same ?? alike) return same ?? alike ?? null;
  }
  return null;
}

/** @param {string} language */
function base(language) {
  return language.toLowerCase().split("-")[0];
}
