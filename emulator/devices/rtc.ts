/** The MC146818 real-time clock with 128 bytes of CMOS memory (Motorola MC146818 data sheet). */

import { type CalendarTime, fromUnix, toUnix, weekday } from "./calendar.ts";
import { cmosMemory } from "./cmos-memory.ts";
import { copyState } from "./copy-state.ts";
import type { Device, DeviceClock, DeviceState, Line } from "./device.ts";
import { cyclesIn, TICKS_PER_SECOND, ticksFor } from "./virtual-time.ts";

const OSCILLATOR = 32_768;
/** UIP is set this many ticks before the time changes (244 microseconds). */
const UPDATE_WARNING = 244_141;
const CENTURY = 0x32;
/** Flags of register C and enables of register B. */
const Flag = { update: 0x10, alarm: 0x20, periodic: 0x40, any: 0x80 } as const;
const RegB = { set: 0x80, binary: 4, hours24: 2 } as const;
/** Alarm bytes with both top bits set match any time. */
const DONT_CARE = 0xc0;
const FIELDS = { 0: "second", 2: "minute", 4: "hour", 7: "day", 8: "month", 9: "year" } as const;

export class Rtc implements Device {
  readonly name = "rtc";
  private readonly clock: DeviceClock;
  private readonly irq: Line;
  private readonly ramBytes: number;
  private readonly startSeconds: number;
  private state: ReturnType<Rtc["powerOn"]>;

  /** `startSeconds` is the Unix time at tick 0. */
  constructor(clock: DeviceClock, irq: Line, ramBytes: number, startSeconds: number) {
    this.clock = clock;
    this.irq = irq;
    this.ramBytes = ramBytes;
    this.startSeconds = startSeconds;
    this.state = this.powerOn();
  }

  /** The battery keeps time and memory; the reset pin clears the enables and flags. */
  reset(): void {
    this.settle();
    this.memory[0x0b] = this.memory[0x0b]! & ~0x70;
    this.state.flags = 0;
    this.state.index = 0;
    this.schedule();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  onAlarm(): void {
    this.settle();
    this.schedule();
  }

  readPort(port: number): number {
    if (!(port & 1)) return 0xff;
    const { index } = this.state;
    if (index <= 9 || index === CENTURY) return this.readTime(index);
    if (index === 0x0a) return this.memory[0x0a]! | (this.updateInProgress() ? 0x80 : 0);
    if (index !== 0x0c) return this.memory[index]!;
    this.settle();
    const value = this.flags();
    this.state.flags = 0;
    this.schedule();
    return value;
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const value = wide & 0xff;
    if (!(port & 1)) {
      this.state.index = value & 0x7f;
      return;
    }
    this.settle();
    const { index } = this.state;
    if (index === 1 || index === 3 || index === 5) this.memory[index] = value;
    else if (index <= 9 || index === CENTURY) this.writeTime(index, value);
    else if (index === 0x0a) this.memory[index] = value & 0x7f;
    else if (index === 0x0b) this.writeControl(value);
    else if (index > 0x0d) this.memory[index] = value;
    this.schedule();
  }

  describe() {
    const [a, b] = [this.memory[0x0a]!, this.memory[0x0b]!];
    const time = fromUnix(this.seconds());
    const two = (value: number) => String(value).padStart(2, "0");
    const date = `${time.year}-${two(time.month)}-${two(time.day)}`;
    return {
      time: `${date} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}`,
      a,
      b: {
        value: b,
        words: `${b & RegB.hours24 ? 24 : 12} hours, ${b & RegB.binary ? "binary" : "BCD"}`,
      },
      c: this.flags(),
      index: this.state.index,
    };
  }

  private powerOn() {
    return {
      index: 0,
      memory: cmosMemory(this.ramBytes),
      /** The time is baseSeconds at tick baseTick, and runs from there. */
      baseSeconds: this.startSeconds,
      baseTick: 0,
      /** A guest may count the days of the week from another start. */
      weekdayShift: 0,
      flags: 0,
      /** Flags are known up to this tick. */
      settledAt: 0,
    };
  }

  private get memory(): Uint8Array {
    return this.state.memory;
  }

  private get stopped(): boolean {
    return (this.memory[0x0b]! & RegB.set) !== 0;
  }

  private seconds(tick = this.clock.now()): number {
    if (this.stopped) return this.state.baseSeconds;
    const { baseSeconds, baseTick } = this.state;
    return baseSeconds + Math.floor((tick - baseTick) / TICKS_PER_SECOND);
  }

  private updateInProgress(): boolean {
    if (this.stopped) return false;
    return this.seconds(this.clock.now() + UPDATE_WARNING) !== this.seconds();
  }

  private encode(value: number): number {
    if (this.memory[0x0b]! & RegB.binary) return value;
    return (Math.floor(value / 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    return this.memory[0x0b]! & RegB.binary ? value : (value >> 4) * 10 + (value & 15);
  }

  private encodeHour(hour: number): number {
    if (this.memory[0x0b]! & RegB.hours24) return this.encode(hour);
    return this.encode(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
  }

  private decodeHour(value: number): number {
    if (this.memory[0x0b]! & RegB.hours24) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + (value & 0x80 ? 12 : 0);
  }

  private readTime(index: number): number {
    if (index === 1 || index === 3 || index === 5) return this.memory[index]!;
    const seconds = this.seconds();
    const time = fromUnix(seconds);
    if (index === 4) return this.encodeHour(time.hour);
    if (index === 6) return this.encode(((weekday(seconds) - 1 + this.state.weekdayShift) % 7) + 1);
    if (index === 9) return this.encode(time.year % 100);
    if (index === CENTURY) return this.encode(Math.floor(time.year / 100));
    return this.encode(time[FIELDS[index as keyof typeof FIELDS]]);
  }

  /** Changes one field of the running time; the phase within the second stays. */
  private writeTime(index: number, value: number): void {
    const seconds = this.seconds();
    const time = fromUnix(seconds);
    const number = this.decode(value);
    if (index === 6) {
      this.state.weekdayShift = (((number - weekday(seconds)) % 7) + 7) % 7;
      return;
    }
    const changed: { -readonly [K in keyof CalendarTime]: number } = { ...time };
    if (index === 4) changed.hour = this.decodeHour(value);
    else if (index === 9) changed.year = time.year - (time.year % 100) + number;
    else if (index === CENTURY) changed.year = number * 100 + (time.year % 100);
    else changed[FIELDS[index as keyof typeof FIELDS]] = number;
    this.state.baseSeconds += toUnix(changed) - seconds;
  }

  /** While SET is on the time stands still; it goes on at the next whole second of the divider. */
  private writeControl(value: number): void {
    const seconds = this.seconds();
    const { baseTick } = this.state;
    const whole = Math.floor((this.clock.now() - baseTick) / TICKS_PER_SECOND);
    this.memory[0x0b] = value & RegB.set ? value & ~Flag.update : value;
    this.state.baseSeconds = seconds;
    this.state.baseTick = baseTick + whole * TICKS_PER_SECOND;
  }

  /** Oscillator cycles between periodic events, 0 for none (data sheet, table of rate select). */
  private period(): number {
    const a = this.memory[0x0a]!;
    const rate = a & 15;
    if (rate === 0 || (a & 0x70) !== 0x20) return 0;
    return 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  private periodsAt(tick: number): number {
    return Math.floor(cyclesIn(tick, OSCILLATOR) / this.period());
  }

  /** First matching second of the alarm after the given one, or Infinity. */
  private nextMatch(after: number): number {
    const [s, m, h] = [this.memory[1]!, this.memory[3]!, this.memory[5]!];
    const matches = (raw: number, wanted: number, value: number) =>
      (raw & DONT_CARE) === DONT_CARE || wanted === value;
    const last = after + 86_400;
    for (let t = after + 1; t <= last; ) {
      const time = fromUnix(t);
      if (!matches(h, this.decodeHour(h), time.hour)) t += 3600 - time.minute * 60 - time.second;
      else if (!matches(m, this.decode(m), time.minute)) t += 60 - time.second;
      else if (!matches(s, this.decode(s), time.second)) t += 1;
      else return t;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Brings the flags up to now; they are otherwise worked out only when someone can see them. */
  private settle(): void {
    const now = this.clock.now();
    const from = this.state.settledAt;
    this.state.settledAt = now;
    if (this.period() > 0 && this.periodsAt(now) > this.periodsAt(from)) {
      this.state.flags |= Flag.periodic;
    }
    if (this.stopped || this.seconds(now) <= this.seconds(from)) return;
    this.state.flags |= Flag.update;
    if (this.nextMatch(this.seconds(from)) <= this.seconds(now)) this.state.flags |= Flag.alarm;
  }

  /** Register C: the flags, and bit 7 while one of them is enabled. */
  private flags(): number {
    const { flags } = this.state;
    return flags | (flags & this.memory[0x0b]! & 0x70 ? Flag.any : 0);
  }

  /** Drives the line and sets the alarm for the next event that would raise it. */
  private schedule(): void {
    const raised = (this.flags() & Flag.any) !== 0;
    this.irq(raised);
    const enabled = raised ? 0 : this.memory[0x0b]!;
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    if (enabled & Flag.periodic && this.period() > 0) {
      next = ticksFor((this.periodsAt(now) + 1) * this.period(), OSCILLATOR);
    }
    if (!this.stopped) {
      const second = this.seconds(now);
      if (enabled & Flag.update) next = Math.min(next, this.tickOf(second + 1));
      if (enabled & Flag.alarm) next = Math.min(next, this.tickOf(this.nextMatch(second)));
    }
    if (next === Number.POSITIVE_INFINITY) this.clock.clearAlarm("event");
    else this.clock.setAlarm("event", next);
  }

  private tickOf(second: number): number {
    return this.state.baseTick + (second - this.state.baseSeconds) * TICKS_PER_SECOND;
  }
}
