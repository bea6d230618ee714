import { Signal } from "../live/signal.js";
import { Refused } from "./endpoint.js";
import { fingerprint } from "./fingerprint.js";
import { looksLikeMedia } from "./sniff.js";
import { Speed } from "./speed.js";
import { _ } from "../live/texts.js";

/** @typedef {import("./endpoint.js").Endpoint} Endpoint */
/** @typedef {import("./endpoint.js").SameFile} SameFile */
/** @typedef {import("./endpoint.js").Outcome} Outcome */
/** @typedef {import("./look.js").Seen} Seen */

/**
 * waiting: for its turn · known: the library has this file, and somebody must choose · offline: it
 * goes on by itself · stopped: it goes on when somebody says so
 *
 * @typedef {"waiting" | "sending" | "offline" | "paused" | "checking" | "known" | "done" | "failed" | "refused" | "cancelled"} Word
 */

/**
 * @typedef {object} Surroundings
 * @property {Endpoint} endpoint
 * @property {SubtleCrypto | undefined} subtle
 * @property {(file: Blob) => Promise<Seen>} look
 * @property {() => number} now
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 * @property {(attempt: number) => number} backoff milliseconds
 */

/** How many parts are on their way at once. */
const PARALLEL = 3;

/** One file on its way. It never calls an upload failed before it has asked the server. */
export class Transfer {
  /** Whatever can be seen of it has changed. */
  changed = /** @type {Signal<Transfer>} */ (new Signal());
  /** @type {Word} */
  word = "waiting";
  /** @type {string | null} why it stands still */
  problem = null;
  /** @type {SameFile[]} */
  same = [];
  /** @type {Outcome | null} */
  outcome = null;
  /** @type {number | null} */
  mediaId;
  file;
  speed;
  /** Where it went on, if it did: bytes that were there already. */
  resumedAt = 0;

  #outside;
  #title;
  #again = false;
  /** @type {string | null} */
  #id = null;
  #partBytes = 1;
  #direct = false;
  /** @type {Set<number>} */
  #received = new Set();
  /** @type {Map<number, number>} bytes of parts on their way */
  #onTheWay = new Map();
  #stop = new AbortController();
  #failures = 0;
  /** @type {Promise<Seen> | null} */
  #seen = null;

  /**
   * @param {File} file
   * @param {Surroundings} outside
   * @param {{title?: string, mediaId?: number | null}} [choices] `mediaId`: in place of its file
   */
  constructor(file, outside, { title = "", mediaId = null } = {}) {
    this.file = file;
    this.mediaId = mediaId;
    this.speed = new Speed(outside.now);
    this.#outside = outside;
    this.#title = title;
  }

  /** Bytes that have arrived, or are about to. */
  get sent() {
    let bytes = 0;
    for (const number of this.#received) bytes += this.#bytesOf(number);
    for (const sent of this.#onTheWay.values()) bytes += sent;
    return Math.min(bytes, this.file.size);
  }

  /** Seconds until it is there; null while nobody can know. */
  get left_s() {
    const { perSecond } = this.speed;
    return perSecond ? (this.file.size - this.sent) / perSecond : null;
  }

  /** Whether nothing more will happen by itself, nor on demand. */
  get over() {
    return ["done", "refused", "cancelled"].includes(this.word);
  }

  /** Whether the page should not be left. */
  get busy() {
    return ["waiting", "sending", "offline", "checking"].includes(this.word);
  }

  /** Send it, from where it is; resolves when it is done, or stands still. */
  async run() {
    this.#stop = new AbortController();
    this.#failures = 0;
    this.speed.reset();
    this.#say("sending");
    try {
      await this.#untilDone(this.#stop.signal);
    } catch (error) {
      this.#onTheWay.clear();
      if (this.#stop.signal.aborted) return;
      this.#say("failed", error instanceof Refused ? error.message : _("This file cannot be read any more. Choose it again."));
    }
  }

  pause() {
    this.#stop.abort();
    this.#onTheWay.clear();
    this.#say("paused");
  }

  /** Send it although the library has it. */
  sendAnyway() {
    this.#again = true;
    return this.run();
  }

  async cancel() {
    this.#stop.abort();
    this.#onTheWay.clear();
    this.#say("cancelled");
    if (this.#id !== null) await this.#withdraw(this.#id);
  }

  /** @param {string} id */
  async #withdraw(id) {
    try {
      await this.#outside.endpoint.cancel(id);
    } catch (error) {
      // Then it ends by itself after some days, like one that is never taken up again.
      if (!(error instanceof Refused)) throw error;
    }
  }

  /** @param {AbortSignal} stop */
  async #untilDone(stop) {
    while (!stop.aborted) {
      try {
        if (this.#id === null && !(await this.#start())) return;
        if (stop.aborted) return;
        if (this.#isMissing) await this.#sendParts(stop);
        if (stop.aborted) return;
        await this.#complete();
        return;
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof Refused)) throw error;
        await this.#after(error, stop);
      }
    }
  }

  /** @returns {Promise<boolean>} whether there is something to send */
  async #start() {
    const { endpoint, subtle, look } = this.#outside;
    if (!(await looksLikeMedia(this.file))) {
      this.#say("refused", _("This is neither an MP4, WebM, MP3 nor M4A file. Nothing was sent."));
      return false;
    }
    this.#seen ??= look(this.file);
    const { poster, ...seen } = await this.#seen;
    const ticket = await endpoint.start({
      name: this.file.name,
      size_bytes: this.file.size,
      last_modified_ms: this.file.lastModified,
      fingerprint: await fingerprint(this.file, subtle),
      title: this.#title,
      media_id: this.mediaId,
      again: this.#again || this.mediaId !== null,
      ...seen,
    });
    if (ticket.upload_id === null) {
      this.same = ticket.same_as;
      this.#say("known");
      return false;
    }
    this.#id = ticket.upload_id;
    this.mediaId = ticket.media_file_id;
    this.#partBytes = ticket.part_bytes ?? this.file.size;
    this.#direct = ticket.direct;
    if (this.word === "cancelled") {
      // While the server was asked: nobody else can tell it now.
      await this.#withdraw(ticket.upload_id);
      return false;
    }
    if (poster && !ticket.resumed) await endpoint.sendPoster(ticket.upload_id, poster);
    if (ticket.resumed) {
      await this.#ask();
      this.resumedAt = this.sent;
    }
    if (!this.#stop.signal.aborted) this.#say("sending");
    return true;
  }

  /** @param {AbortSignal} stop */
  async #sendParts(stop) {
    const numbers = Array.from({ length: Math.ceil(this.file.size / this.#partBytes) }, (_, number) => number);
    const waiting = numbers.filter((number) => !this.#received.has(number));
    const group = new AbortController();
    const end = () => group.abort();
    stop.addEventListener("abort", end);
    const next = async () => {
      for (let number = waiting.shift(); number !== undefined && !stop.aborted; number = waiting.shift()) {
        await this.#sendPart(number, group.signal);
      }
    };
    try {
      const lanes = Array.from({ length: PARALLEL }, next);
      // One that fails stops the others, so that everything is asked and begun again at once.
      await Promise.all(lanes).catch(async (error) => {
        group.abort();
        await Promise.allSettled(lanes);
        throw error;
      });
    } finally {
      stop.removeEventListener("abort", end);
      this.#onTheWay.clear();
    }
  }

  /**
   * @param {number} number
   * @param {AbortSignal} stop
   */
  async #sendPart(number, stop) {
    const start = number * this.#partBytes;
    const part = this.file.slice(start, start + this.#bytesOf(number));
    const progress = (/** @type {number} */ sent) => {
      this.#onTheWay.set(number, sent);
      this.#tick();
    };
    const { endpoint } = this.#outside;
    const id = /** @type {string} */ (this.#id);
    if (this.#direct) await endpoint.sendDirect(id, number, part, progress, stop);
    else await endpoint.send(id, number, part, progress, stop);
    this.#onTheWay.delete(number);
    this.#received.add(number);
    this.#failures = 0;
    if (this.word === "offline") this.#say("sending");
    this.#tick();
  }

  async #complete() {
    this.#say("checking");
    const outcome = await this.#outside.endpoint.complete(/** @type {string} */ (this.#id));
    this.outcome = outcome;
    this.same = outcome.same_as;
    if (outcome.state === "failed") this.#forget();
    this.#say(outcome.state === "done" ? "done" : "failed", outcome.problem);
  }

  /**
   * Something was refused or lost: ask what is true, after a while. Raises what asking cannot mend.
   *
   * @param {Refused} refused
   * @param {AbortSignal} stop
   */
  async #after(refused, stop) {
    const known = refused.status === 409 || refused.status === 400 || refused.status === 422;
    if (!refused.passes && !(known && this.#failures < 3)) {
      if (refused.status === 404) this.#forget();
      throw refused;
    }
    if (refused.passes) this.#say("offline", refused.message);
    this.speed.reset();
    this.#failures += 1;
    await this.#wait(this.#outside.backoff(this.#failures), stop);
    if (stop.aborted || this.#id === null) return;
    try {
      await this.#ask();
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.#forget();
      if (!(error instanceof Refused) || !error.passes) throw error;
      return; // nobody answers yet: the next round asks again
    }
    this.#say("sending");
  }

  async #ask() {
    const { state, received } = await this.#outside.endpoint.state(/** @type {string} */ (this.#id));
    const count = Math.ceil(this.file.size / this.#partBytes);
    this.#received = new Set(state === "receiving" ? received : Array.from({ length: count }, (_, n) => n));
  }

  /** The upload is no more; the next run begins another. */
  #forget() {
    this.#id = null;
    this.#received.clear();
  }

  get #isMissing() {
    return this.#received.size < Math.ceil(this.file.size / this.#partBytes);
  }

  /** @param {number} number */
  #bytesOf(number) {
    return Math.min(this.#partBytes, this.file.size - number * this.#partBytes);
  }

  #tick() {
    this.speed.mark(this.sent);
    this.changed.emit(this);
  }

  /**
   * @param {Word} word
   * @param {string | null} [problem]
   */
  #say(word, problem = null) {
    if (this.word === "cancelled") return;
    this.word = word;
    this.problem = problem;
    this.changed.emit(this);
  }

  /**
   * @param {number} ms
   * @param {AbortSignal} stop
   * @returns {Promise<void>}
   */
  #wait(ms, stop) {
    return new Promise((resolve) => {
      const end = () => {
        stop.removeEventListener("abort", end);
        resolve();
      };
      stop.addEventListener("abort", end);
      this.#outside.setTimeout(end, ms);
    });
  }
}
