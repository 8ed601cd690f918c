/** One counter of an 8254, as a closed function of the cycles since it was loaded (Intel 8254). */

export const PIT_HERTZ = 1_193_182;

export const counterPowerOn = () => ({
  mode: 3,
  bcd: false,
  /** Access: 1 low byte, 2 high byte, 3 low then high. */
  access: 3,
  /** Initial count, 1 to 0x10000. */
  count: 0x10000,
  /** Nothing has been counted since the control word. */
  waiting: true,
  gate: true,
  /** Cycle of the oscillator at which counting started, and what was counted before a pause. */
  start: 0,
  counted: 0,
  lowWritten: -1,
  highNext: false,
  latched: -1,
  latchedHighNext: false,
  status: -1,
});
export type Counter = ReturnType<typeof counterPowerOn>;

const triggered = (counter: Counter) => counter.mode === 1 || counter.mode === 5;
const periodic = (counter: Counter) => counter.mode === 2 || counter.mode === 3;

/** Counts elapsed at a cycle. */
function elapsed(counter: Counter, cycle: number): number {
  if (counter.waiting) return 0;
  if (!counter.gate && !triggered(counter)) return counter.counted;
  return counter.counted + cycle - counter.start;
}

/** The counting element, as it would be latched. */
export function valueAt(counter: Counter, cycle: number): number {
  const { count, mode } = counter;
  const d = elapsed(counter, cycle);
  let value = count - d;
  if (mode === 2) value = count - (d % count);
  if (mode === 3) value = count - ((2 * d) % count);
  if (!counter.bcd) return value & 0xffff;
  const decimal = ((value % 10000) + 10000) % 10000;
  return Number.parseInt(String(decimal), 16);
}

/** The OUT pin. */
export function outputAt(counter: Counter, cycle: number): boolean {
  const { count, mode, waiting, gate } = counter;
  if (waiting) return mode !== 0;
  const d = elapsed(counter, cycle);
  switch (mode) {
    case 0:
      return d >= count;
    case 1:
      return d >= count;
    case 2:
      return !gate || count === 1 || d % count !== count - 1;
    case 3:
      return !gate || d % count < Math.ceil(count / 2);
    default:
      return d !== count;
  }
}

/** The first cycle after the given one at which OUT changes, or Infinity. */
export function nextChange(counter: Counter, cycle: number): number {
  const { count, mode } = counter;
  const never = Number.POSITIVE_INFINITY;
  if (counter.waiting || (!counter.gate && !triggered(counter))) return never;
  const d = elapsed(counter, cycle);
  const at = (target: number) => cycle + target - d;
  if (mode === 0 || mode === 1) return d < count ? at(count) : never;
  if (!periodic(counter)) return d < count ? at(count) : d === count ? at(count + 1) : never;
  if (count === 1) return never;
  const first = d - (d % count);
  const fall = mode === 2 ? count - 1 : Math.ceil(count / 2);
  return at(first + (d % count < fall ? fall : count));
}

/** A whole count was written. Modes 2 and 3 start over at once. */
export function load(counter: Counter, written: number, cycle: number): void {
  const decimal = Number.parseInt(written.toString(16), 10);
  const value = counter.bcd ? decimal : written;
  counter.count = value === 0 || Number.isNaN(value) ? (counter.bcd ? 10000 : 0x10000) : value;
  if (triggered(counter)) return;
  counter.waiting = false;
  counter.start = cycle;
  counter.counted = 0;
}

/** The GATE pin: pauses modes 0 and 4, restarts modes 2 and 3, triggers modes 1 and 5. */
export function setGate(counter: Counter, gate: boolean, cycle: number): void {
  if (gate === counter.gate) return;
  counter.counted = triggered(counter) || !gate ? elapsed(counter, cycle) : counter.counted;
  counter.gate = gate;
  if (gate && (periodic(counter) || triggered(counter))) {
    counter.counted = 0;
    counter.waiting = counter.waiting && !triggered(counter);
  }
  counter.start = cycle;
}
