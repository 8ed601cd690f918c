/** Looks for places in sequences that are in order. */

/** How many of so many items come before the first that `holds` is false of: it is true of those alone. */
export function countWhile(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
