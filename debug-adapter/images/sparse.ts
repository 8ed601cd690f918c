/** Events at which something is looked for: often at first, then seldom, so that it costs nothing. */

const SELDOM = 4096;

/** Whether the event with this number, from 1, is a power of two or a multiple of 4096. */
export function isSparse(count: number): boolean {
  return (count & (count - 1)) === 0 || count % SELDOM === 0;
}
