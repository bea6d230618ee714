/**
 * The leader: the one tab whose stream all tabs of this browser share.
 *
 * To the tabs it is what the server's hub is to browsers. A tab that comes later may show something
 * older than the open stream was asked with; the leader answers it out of its own watchlist:
 *
 *     stream   asked with 45 ── stale: chapters.list, 47 ──────► heard through 50
 *     tab      shows chapters.list of 46 ── watch ─────────────► hello: chapters.list is stale
 *     tab      shows courses.detail of 46 ── watch ────────────► hello: current
 */

/** @typedef {import("./stamps.js").Stamp} Stamp */
/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./connection.js").State} State */
/** @typedef {[string, Stamp | null][]} Entries */

/**
 * @typedef {object} Tell how a leader speaks
 * @property {(frame: Frame, covered: readonly string[], to?: string) => void} frame to one tab, or to all
 * @property {(state: State) => void} state
 */

export class Leader {
  #connection;
  #tell;
  #ends;

  /** @type {Map<string, {entries: Entries, hidden: boolean}>} */
  #tabs = new Map();

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {Tell} tell
   */
  constructor(connection, tell) {
    this.#connection = connection;
    this.#tell = tell;
    this.#ends = [
      connection.frames.subscribe(({ frame, covered }) => tell.frame(this.#charged(frame), covered)),
      connection.states.subscribe((state) => tell.state(state)),
    ];
  }

  /**
   * A tab says, whenever it changes, all that it shows.
   *
   * @param {string} tab
   * @param {Entries} entries
   * @param {boolean} hidden
   * @returns {boolean} whether this tab was not known before
   */
  watch(tab, entries, hidden) {
    const isNew = !this.#tabs.has(tab);
    const wasPatient = this.#connection.patient;
    this.#tabs.set(tab, { entries, hidden });
    this.#gather();
    if (wasPatient && !this.#connection.patient) this.#connection.wake();
    this.#answer(tab, entries);
    return isNew;
  }

  /** @param {string} tab */
  forget(tab) {
    if (this.#tabs.delete(tab)) this.#gather();
  }

  wake() {
    this.#connection.wake();
  }

  lose() {
    this.#connection.lose();
  }

  stop() {
    for (const end of this.#ends) end();
    this.#connection.stop();
  }

  #gather() {
    const tabs = [...this.#tabs.values()];
    this.#connection.patient = tabs.every(({ hidden }) => hidden);
    this.#connection.watch(tabs.flatMap(({ entries }) => entries));
  }

  /**
   * A browser reports once on a frame, whatever number of its tabs show what is stale: the tab that
   * does is one that somebody sees, if there is any.
   *
   * @param {Frame} frame
   * @returns {Frame}
   */
  #charged(frame) {
    if (frame.event !== "stale" || !frame.reports?.length) return frame;
    const named = new Set(frame.keys);
    const showing = [...this.#tabs].filter(([, { entries }]) => entries.some(([key]) => named.has(key)));
    const [witness = ""] = showing.find(([, { hidden }]) => !hidden) ?? showing[0] ?? [...this.#tabs.keys()];
    return { ...frame, stream: this.#connection.stream, witness };
  }

  /**
   * @param {string} tab
   * @param {Entries} entries
   */
  #answer(tab, entries) {
    const { list, state, heartbeat_s, denied } = this.#connection;
    const known = entries.filter(([key]) => list.isConfirmed(key));
    const stale = known.filter(([key, stamp]) => !list.isCurrent(key, stamp)).map(([key]) => key);
    const covered = known.map(([key]) => key);
    this.#tell.frame({ event: "hello", id: list.heard, stale, denied: [...denied], heartbeat_s }, covered, tab);
    this.#tell.state(state);
  }
}
