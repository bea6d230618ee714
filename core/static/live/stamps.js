/** Stamps: "this was current at that point", as `<generation>-<sequence>`. */

const TEXT = /^([0-9a-f]{12})-(0|[1-9][0-9]{0,17})$/;

/**
 * A point in the order of publications.
 *
 * Stamps of two generations have no order: data of another generation is never current.
 */
export class Stamp {
  /**
   * @param {string} generation
   * @param {bigint} sequence eighteen digits, which a number would round
   */
  constructor(generation, sequence) {
    this.generation = generation;
    this.sequence = sequence;
    Object.freeze(this);
  }

  /**
   * The stamp that `text` spells, or null for anything else: no stamp is always safe, it only
   * costs a refetch.
   *
   * @param {string | null | undefined} text
   * @returns {Stamp | null}
   */
  static parse(text) {
    const [, generation, sequence] = TEXT.exec(text ?? "") ?? [];
    return generation && sequence ? new Stamp(generation, BigInt(sequence)) : null;
  }

  toString() {
    return `${this.generation}-${this.sequence}`;
  }

  /** @param {Stamp} other */
  sameGeneration(other) {
    return this.generation === other.generation;
  }

  /**
   * Whether data stamped so may be shown to one who asks for `floor` or newer.
   *
   * @param {Stamp | null} floor
   */
  reaches(floor) {
    return floor === null || (this.sameGeneration(floor) && this.sequence >= floor.sequence);
  }

  /**
   * Whether this is an earlier point of the same generation: the one order in which data could go
   * backwards.
   *
   * @param {Stamp | null} other
   */
  isBefore(other) {
    return other !== null && this.sameGeneration(other) && this.sequence < other.sequence;
  }
}

/**
 * The stamp that both are known to be current at; null when there is none.
 *
 * @param {Stamp | null} a
 * @param {Stamp | null} b
 * @returns {Stamp | null}
 */
export function older(a, b) {
  if (a === null || b === null || !a.sameGeneration(b)) return null;
  return a.sequence <= b.sequence ? a : b;
}

/**
 * The floor that satisfies both; across generations the one that was heard last, `b`.
 *
 * @param {Stamp | null} a
 * @param {Stamp | null} b
 * @returns {Stamp | null}
 */
export function higher(a, b) {
  if (a === null || b === null) return a ?? b;
  return b.isBefore(a) ? a : b;
}
