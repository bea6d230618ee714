/**
 * Which entries may stay where they are while the others move: a longest increasing subsequence
 * (Fredman 1975, patience sorting), so that the fewest nodes move.
 *
 * @param {readonly number[]} places where each entry stands now; -1 for one that stands elsewhere
 * @param {number} [pinned] an index that has to stay, at the price of more moves by the others
 * @returns {Set<number>} indexes into *places*
 */
export function staying(places, pinned = -1) {
  /** @type {number[]} */
  const tails = [];
  /** @type {Map<number, number | undefined>} */
  const before = new Map();
  places.forEach((place, index) => {
    if (place < 0 || !fits(places, index, pinned)) return;
    const length = firstNotBelow(tails, places, place);
    before.set(index, tails[length - 1]);
    tails[length] = index;
  });
  /** @type {Set<number>} */
  const found = new Set();
  for (let index = tails.at(-1); index !== undefined; index = before.get(index)) found.add(index);
  return found;
}

/** @param {readonly number[]} places @param {number} index @param {number} pinned */
function fits(places, index, pinned) {
  const anchor = places[pinned];
  if (anchor === undefined || anchor < 0 || index === pinned) return true;
  return index < pinned === /** @type {number} */ (places[index]) < anchor;
}

/** @param {readonly number[]} tails @param {readonly number[]} places @param {number} place */
function firstNotBelow(tails, places, place) {
  let low = 0;
  let high = tails.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const tail = /** @type {number} */ (tails[middle]);
    if (/** @type {number} */ (places[tail]) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
