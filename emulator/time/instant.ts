/** Points in a run, in their order. */

/** One state of a run between two things that happen; a run passes each at most once. */
export interface Instant {
  /** Instructions retired since reset. */
  readonly icount: number;
  /** Virtual time spent in HLT since reset, in ticks. */
  readonly idleTicks: number;
  /**
   * What came instead of an instruction or between two since reset: faults, interrupts, exits. They
   * retire nothing, so that icount alone does not tell the instants before and after them apart.
   */
  readonly events: number;
}

export const RESET: Instant = { icount: 0, idleTicks: 0, events: 0 };

/** Before all instants at which so many instructions have retired. */
export const firstAt = (icount: number): Instant =>
  icount <= 0 ? RESET : { icount, idleTicks: Number.NEGATIVE_INFINITY, events: 0 };

/** After all of them. */
export const lastAt = (icount: number): Instant => ({
  icount,
  idleTicks: Number.POSITIVE_INFINITY,
  events: Number.POSITIVE_INFINITY,
});

/** Negative if `a` comes before `b`, 0 if they are the same. */
export function compareInstants(a: Instant, b: Instant): number {
  return a.icount - b.icount || a.idleTicks - b.idleTicks || a.events - b.events;
}
