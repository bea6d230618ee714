/** Of the time for which an address is good, how much may pass before it is asked for anew. */
const SHARE = 0.9;
/** How often in a row something that will not play is asked for again. */
const TRIES = 3;
const WAIT_MS = 500;

/**
 * What is known of one player.
 *
 * @typedef {object} Lease
 * @property {string} src
 * @property {number} since when its file was asked for
 * @property {number} position in seconds, where somebody was last
 * @property {boolean} asked
 * @property {boolean} due
 * @property {boolean} renewing
 * @property {boolean} playing before it was renewed
 * @property {number} rate
 * @property {number} tries
 * @property {unknown} timer
 */

/**
 * Players whose file is asked for again, without losing their place: before the address that ours leads
 * to has expired, and after an error.
 */
export class Renewal {
  #outside;
  /** @type {WeakMap<HTMLMediaElement, Lease>} */
  #leases = new WeakMap();

  /**
   * @param {object} outside
   * @param {Document} outside.root
   * @param {typeof globalThis.fetch} outside.fetch
   * @param {() => number} outside.now
   * @param {(run: () => void, ms: number) => unknown} outside.setTimeout
   * @param {(timer: any) => void} outside.clearTimeout
   */
  constructor(outside) {
    this.#outside = outside;
  }

  bind() {
    // Events of players do not bubble, but they can be met on their way.
    const on = (/** @type {string} */ name, /** @type {(player: HTMLMediaElement) => void} */ run) => {
      const meet = (/** @type {Event} */ { target }) => {
        if (target instanceof HTMLMediaElement && leaseOf(target)) run(target);
      };
      this.#outside.root.addEventListener(name, meet, { capture: true });
    };
    on("loadstart", (player) => this.#begin(player));
    on("play", (player) => void this.#play(player));
    on("seeking", (player) => this.#note(player));
    on("timeupdate", (player) => this.#note(player));
    on("canplay", (player) => (this.#of(player).renewing = false));
    on("error", (player) => this.#failed(player));
  }

  /** @param {HTMLMediaElement} player */
  #begin(player) {
    const lease = this.#of(player);
    this.#outside.clearTimeout(lease.timer);
    if (lease.src !== player.src) Object.assign(lease, { src: player.src, position: 0, tries: 0, renewing: false });
    Object.assign(lease, { since: this.#outside.now(), asked: false, due: false });
  }

  /** @param {HTMLMediaElement} player */
  async #play(player) {
    const lease = this.#of(player);
    if (lease.due) {
      this.#renew(player);
      return;
    }
    if (lease.asked) return;
    lease.asked = true;
    const lasts_s = await this.#ask(/** @type {string} */ (leaseOf(player)));
    if (lasts_s === null) return;
    const left_ms = lease.since + lasts_s * 1000 * SHARE - this.#outside.now();
    this.#outside.clearTimeout(lease.timer);
    lease.timer = this.#outside.setTimeout(() => this.#expire(player), Math.max(0, left_ms));
  }

  /** @param {HTMLMediaElement} player */
  #expire(player) {
    // While nobody plays it, nobody needs it.
    if (player.paused || player.ended) this.#of(player).due = true;
    else this.#renew(player);
  }

  /** @param {HTMLMediaElement} player */
  #note(player) {
    const lease = this.#of(player);
    if (lease.renewing || player.error) return;
    if (player.currentTime > lease.position) lease.tries = 0;
    lease.position = player.currentTime;
  }

  /** @param {HTMLMediaElement} player */
  #failed(player) {
    const lease = this.#of(player);
    if (!player.error || player.error.code === MediaError.MEDIA_ERR_ABORTED) return;
    if (lease.tries >= TRIES) {
      lease.renewing = false;
      return;
    }
    lease.tries += 1;
    this.#outside.setTimeout(() => {
      if (player.error && player.isConnected) this.#renew(player);
    }, WAIT_MS * (2 ** (lease.tries - 1) - 1));
  }

  /**
   * Ask for the file again, and go on where it was.
   *
   * @param {HTMLMediaElement} player
   */
  #renew(player) {
    const lease = this.#of(player);
    if (!lease.renewing) Object.assign(lease, { renewing: true, playing: !player.paused, rate: player.playbackRate });
    player.load();
    // A player that has nothing yet keeps this as the place to begin from.
    player.currentTime = lease.position;
    player.playbackRate = lease.rate;
    if (lease.playing) player.play().catch(() => {}); // then its own button starts it
  }

  /**
   * @param {string} address
   * @returns {Promise<number | null>} seconds; null for what does not expire, and while nobody can know
   */
  async #ask(address) {
    try {
      const response = await this.#outside.fetch(address, { headers: { Accept: "application/json" } });
      return response.ok ? (await response.json()).lasts_s : null;
    } catch {
      return null; // if it expires, an error tells
    }
  }

  /** @param {HTMLMediaElement} player */
  #of(player) {
    let lease = this.#leases.get(player);
    if (!lease) {
      const unknown = { position: 0, asked: false, due: false, renewing: false, playing: false, rate: 1, tries: 0 };
      lease = { ...unknown, src: player.src, since: this.#outside.now(), timer: undefined };
      this.#leases.set(player, lease);
    }
    return lease;
  }
}

/**
 * Where it is said how long this player's file can be played; null for one that is not ours.
 *
 * @param {HTMLMediaElement} player
 */
function leaseOf(player) {
  const found = /^(\/media\/\d+)\/file(\?|$)/.exec(player.getAttribute("src") ?? "");
  return found ? `${found[1]}/lease` : null;
}
