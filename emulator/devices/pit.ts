/** The 8254 timer with port 0x61: counter 0 on IRQ 0, counter 2 behind a gate with the speaker. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceClock, DeviceState, Line } from "./device.ts";
import {
  type Counter,
  counterPowerOn,
  load,
  nextChange,
  outputAt,
  PIT_HERTZ,
  setGate,
  valueAt,
} from "./pit-counter.ts";
import { cyclesIn, ticksFor } from "./virtual-time.ts";

/** Memory refresh, seen in port 0x61 bit 4, toggles once in this many cycles (15 microseconds). */
const REFRESH_CYCLES = 18;

const powerOn = () => ({
  counters: [counterPowerOn(), counterPowerOn(), { ...counterPowerOn(), gate: false }],
  speaker: false,
  /** Cycle of the next change of OUT 0, when an alarm is set for it. */
  changeAt: 0,
});

export class Pit implements Device {
  readonly name = "pit";
  private readonly clock: DeviceClock;
  private readonly irq: Line;
  private state = powerOn();

  constructor(clock: DeviceClock, irq: Line) {
    this.clock = clock;
    this.irq = irq;
  }

  reset(): void {
    this.state = powerOn();
    this.clock.clearAlarm("out0");
    this.irq(false);
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  /** OUT 0 changes: judged at the cycle of the change, so that a late call loses no edge. */
  onAlarm(): void {
    const cycle = this.state.changeAt;
    this.irq(outputAt(this.counter(0), cycle));
    this.schedule(cycle);
  }

  readPort(port: number): number {
    if (port === 0x61) return this.readSystemControl();
    if (port === 0x43) return 0;
    return this.readCounter(this.counter(port & 3));
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const value = wide & 0xff;
    if (port === 0x61) {
      setGate(this.counter(2), (value & 1) !== 0, this.cycle);
      this.state.speaker = (value & 2) !== 0;
    } else if (port === 0x43) this.writeControl(value);
    else this.writeCounter(port & 3, value);
  }

  describe() {
    const registers: { [name: string]: number | { value: number; words: string } } = {};
    this.state.counters.forEach((counter, i) => {
      const { mode, count, gate, bcd, waiting } = counter;
      const words = [
        gate ? "gate on" : "gate off",
        ...(bcd ? ["BCD"] : []),
        ...(waiting ? ["not started"] : []),
        `OUT ${outputAt(counter, this.cycle) ? "high" : "low"}`,
      ];
      registers[`count${i}`] = valueAt(counter, this.cycle);
      registers[`reload${i}`] = count;
      registers[`mode${i}`] = { value: mode, words: words.join(", ") };
    });
    return { ...registers, port61: this.readSystemControl() };
  }

  private get cycle(): number {
    return cyclesIn(this.clock.now(), PIT_HERTZ);
  }

  private counter(index: number): Counter {
    return this.state.counters[index]!;
  }

  private readSystemControl(): number {
    const counter = this.counter(2);
    const refresh = Math.floor(this.cycle / REFRESH_CYCLES) & 1;
    const speaker = this.state.speaker ? 2 : 0;
    const output = outputAt(counter, this.cycle) ? 0x20 : 0;
    return (counter.gate ? 1 : 0) | speaker | (refresh << 4) | output;
  }

  /** A latched status comes first, then a latched count, then the running one. */
  private readCounter(counter: Counter): number {
    if (counter.status >= 0) {
      const status = counter.status;
      counter.status = -1;
      return status;
    }
    if (counter.latched >= 0) return this.readLatched(counter);
    const value = valueAt(counter, this.cycle);
    const high = counter.access === 2 || (counter.access === 3 && counter.highNext);
    if (counter.access === 3) counter.highNext = !counter.highNext;
    return high ? value >> 8 : value & 0xff;
  }

  /** A latched count of two bytes is always read low byte first. */
  private readLatched(counter: Counter): number {
    const { latched, access, latchedHighNext } = counter;
    const more = access === 3 && !latchedHighNext;
    counter.latchedHighNext = more;
    if (!more) counter.latched = -1;
    return access === 2 || latchedHighNext ? latched >> 8 : latched & 0xff;
  }

  private writeCounter(index: number, value: number): void {
    const counter = this.counter(index);
    if (counter.access === 3 && counter.lowWritten < 0) {
      counter.lowWritten = value;
      // The first byte of a new count stops mode 0 and clears its output.
      if (counter.mode === 0) counter.waiting = true;
    } else {
      const low = counter.access === 3 ? counter.lowWritten : value;
      const count = counter.access === 1 ? value : counter.access === 2 ? value << 8 : 0;
      counter.lowWritten = -1;
      load(counter, counter.access === 3 ? (value << 8) | low : count, this.cycle);
    }
    if (index === 0) this.outputChanged();
  }

  /** Control word: counter 7:6, access 5:4 (0 latches the count), mode 3:1, BCD 0. */
  private writeControl(value: number): void {
    const index = value >> 6;
    if (index === 3) {
      this.readBack(value);
      return;
    }
    const counter = this.counter(index);
    const access = (value >> 4) & 3;
    if (access === 0) {
      this.latchCount(counter);
      return;
    }
    const mode = (value >> 1) & 7;
    const { gate, count } = counter;
    Object.assign(counter, counterPowerOn(), { access, gate, count, bcd: (value & 1) !== 0 });
    // Bit 2 of the mode does not matter where bit 1 is set.
    counter.mode = mode > 5 ? mode - 4 : mode;
    if (index === 0) this.outputChanged();
  }

  private latchCount(counter: Counter): void {
    if (counter.latched < 0) counter.latched = valueAt(counter, this.cycle);
  }

  /** Read-back command: bit 5 clear latches counts, bit 4 clear status, bits 3:1 choose counters. */
  private readBack(value: number): void {
    for (let index = 0; index < 3; index++) {
      if (!(value & (2 << index))) continue;
      const counter = this.counter(index);
      if (!(value & 0x20)) this.latchCount(counter);
      if (!(value & 0x10) && counter.status < 0) counter.status = this.statusOf(counter);
    }
  }

  /** Status: OUT 7, null count 6, then the control word. */
  private statusOf(counter: Counter): number {
    const output = outputAt(counter, this.cycle) ? 0x80 : 0;
    const empty = counter.waiting ? 0x40 : 0;
    const { access, mode, bcd } = counter;
    return output | empty | (access << 4) | (mode << 1) | (bcd ? 1 : 0);
  }

  private outputChanged(): void {
    const cycle = this.cycle;
    this.irq(outputAt(this.counter(0), cycle));
    this.schedule(cycle);
  }

  private schedule(cycle: number): void {
    const next = nextChange(this.counter(0), cycle);
    if (next === Number.POSITIVE_INFINITY) {
      this.clock.clearAlarm("out0");
      return;
    }
    this.state.changeAt = next;
    this.clock.setAlarm("out0", ticksFor(next, PIT_HERTZ));
  }
}
