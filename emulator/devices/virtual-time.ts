/** Exact conversions between ticks (nanoseconds) and the cycles of a chip's own oscillator. */

export const TICKS_PER_SECOND = 1_000_000_000;

/**
 * Whole cycles of `hertz` in `ticks`, rounded down. Split at whole seconds, so that no product
 * passes 2^53 for oscillators below 9 MHz.
 */
export function cyclesIn(ticks: number, hertz: number): number {
  const seconds = Math.floor(ticks / TICKS_PER_SECOND);
  const rest = ticks - seconds * TICKS_PER_SECOND;
  return seconds * hertz + Math.floor((rest * hertz) / TICKS_PER_SECOND);
}

/** The first tick at which `cyclesIn` gives `cycles`. */
export function ticksFor(cycles: number, hertz: number): number {
  const seconds = Math.floor(cycles / hertz);
  const rest = cycles - seconds * hertz;
  return seconds * TICKS_PER_SECOND + Math.ceil((rest * TICKS_PER_SECOND) / hertz);
}
