/** The counter of the local APIC's timer, as a function of virtual time (APM volume 2, 16.4.1). */

/** Ticks of one count by divide configuration: bits 3, 1, 0 give 2, 4 .. 128, 1. */
export function timerDivisor(configuration: number): number {
  const code = (configuration & 3) | ((configuration >> 1) & 4);
  return 2 ** ((code + 1) & 7);
}

export interface TimerState {
  readonly initialCount: number;
  readonly divide: number;
  readonly periodic: boolean;
  /** Tick at which the initial count was written. */
  readonly startedAt: number;
}

export function currentCount(timer: TimerState, now: number): number {
  if (timer.initialCount === 0) return 0;
  const counted = Math.floor((now - timer.startedAt) / timerDivisor(timer.divide));
  if (timer.periodic) return timer.initialCount - (counted % timer.initialCount);
  return Math.max(timer.initialCount - counted, 0);
}

/** Tick of the first expiry after `now`, or Infinity. */
export function nextExpiry(timer: TimerState, now: number): number {
  if (timer.initialCount === 0) return Number.POSITIVE_INFINITY;
  const period = timer.initialCount * timerDivisor(timer.divide);
  const passed = Math.floor((now - timer.startedAt) / period);
  if (!timer.periodic && passed >= 1) return Number.POSITIVE_INFINITY;
  return timer.startedAt + (passed + 1) * period;
}
