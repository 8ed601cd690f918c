/** The local APIC of the one CPU, in xAPIC and x2APIC mode (APM volume 2, chapter 16). */

import { currentCount, nextExpiry, type TimerState, timerDivisor } from "./apic-timer.ts";
import { copyState } from "./copy-state.ts";
import type { Device, DeviceClock, DeviceRegisters, DeviceState } from "./device.ts";
import {
  describeVectors,
  emptyVectors,
  hasVector,
  highestVector,
  setVector,
} from "./interrupt-bits.ts";
import { DeliveryMode, type InterruptMessage } from "./interrupt-message.ts";
import {
  BaseBit,
  describeLvt,
  ESR_RECEIVE_VECTOR,
  ESR_SEND_VECTOR,
  isReadOnly,
  isX2apicRegister,
  LOCAL_APIC_BASE,
  LVT_MASKS,
  Lvt,
  Reg,
  SVR_BITS,
  SVR_ENABLE,
  VERSION,
  WRITE_ONLY,
} from "./local-apic-registers.ts";

const powerOn = () => ({
  base: (LOCAL_APIC_BASE | BaseBit.enable | BaseBit.bootstrap) >>> 0,
  id: 0,
  tpr: 0,
  ldr: 0,
  dfr: 0xffff_ffff,
  svr: 0xff,
  isr: emptyVectors(),
  tmr: emptyVectors(),
  irr: emptyVectors(),
  esr: 0,
  /** Errors since the last write to ESR. */
  errors: 0,
  icrLow: 0,
  icrHigh: 0,
  /** LINT0 passes the PIC's interrupts from the start, as a PC's firmware sets it up. */
  lvt: [Lvt.masked, Lvt.masked, Lvt.masked, 0x700, Lvt.masked, Lvt.masked] as number[],
  lint0: false,
  initialCount: 0,
  startedAt: 0,
  divide: 0,
});

export interface LocalApicLines {
  /** A level-triggered vector was ended. */
  readonly endOfInterrupt: (vector: number) => void;
  readonly nonMaskable: () => void;
  /** What the CPU would see of pending interrupts may have changed. */
  readonly changed: () => void;
}

export class LocalApic implements Device {
  readonly name = "local-apic";
  private readonly clock: DeviceClock;
  private readonly lines: LocalApicLines;
  private state = powerOn();

  constructor(clock: DeviceClock, lines: LocalApicLines) {
    this.clock = clock;
    this.lines = lines;
  }

  reset(): void {
    this.state = powerOn();
    this.clock.clearAlarm("timer");
    this.lines.changed();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  /** The APIC_BASE MSR (0x1B). */
  getApicBase(): bigint {
    return BigInt(this.state.base);
  }

  /**
   * False if the value is to give #GP: reserved bits, or a step that the modes do not allow
   * (disabled -> xAPIC -> x2APIC -> disabled). The registers stay at 0xFEE00000.
   */
  setApicBase(value: bigint): boolean {
    if (value >> 52n || value & 0x2ffn) return false;
    const flags = Number(value & 0xfffn);
    const enable = (flags & BaseBit.enable) !== 0;
    const x2apic = (flags & BaseBit.x2apic) !== 0;
    if (x2apic && (!enable || !this.enabled)) return false;
    if (this.x2apic && enable && !x2apic) return false;
    if (!enable && this.enabled) this.disable();
    this.state.base = (LOCAL_APIC_BASE | flags | BaseBit.bootstrap) >>> 0;
    if (x2apic) this.state.ldr = 1;
    this.lines.changed();
    return true;
  }

  /** An x2APIC register by MSR number (0x800-0x83F), or undefined for #GP. */
  readMsr(number: number): bigint | undefined {
    const offset = (number - 0x800) << 4;
    if (!this.x2apic || !isX2apicRegister(offset) || WRITE_ONLY.has(offset)) return undefined;
    if (offset === Reg.icrLow) {
      return (BigInt(this.state.icrHigh >>> 0) << 32n) | BigInt(this.state.icrLow >>> 0);
    }
    return BigInt(this.readRegister(offset) >>> 0);
  }

  /** False if the write is to give #GP. */
  writeMsr(number: number, value: bigint): boolean {
    const offset = (number - 0x800) << 4;
    if (!this.x2apic || !isX2apicRegister(offset) || isReadOnly(offset)) return false;
    if (offset === Reg.icrLow) this.state.icrHigh = Number(value >> 32n);
    else if (value >> 32n) return false;
    if (offset === Reg.eoi && value !== 0n) return false;
    this.writeRegister(offset, Number(value & 0xffff_ffffn));
    return true;
  }

  /** Registers lie 16 bytes apart and are 32 bits wide. */
  readMmio(address: number, size: 1 | 2 | 4 | 8): bigint {
    if (!this.enabled || this.x2apic) return (1n << BigInt(8 * size)) - 1n;
    if (address & 0xc) return 0n;
    return BigInt(this.readRegister(address & 0xff0) >>> 0) >> BigInt(8 * (address & 3));
  }

  peekMmio(address: number): bigint {
    return this.readMmio(address, 4);
  }

  writeMmio(address: number, _size: 1 | 2 | 4 | 8, value: bigint): void {
    if (!this.enabled || this.x2apic || address & 0xf) return;
    const offset = address & 0xff0;
    const word = Number(value & 0xffff_ffffn);
    if (offset === Reg.id) this.state.id = word >>> 24;
    else if (offset === Reg.ldr) this.state.ldr = (word & 0xff00_0000) >>> 0;
    else if (offset === Reg.dfr) this.state.dfr = (word | 0x0fff_ffff) >>> 0;
    else if (offset === Reg.icrHigh) this.state.icrHigh = word;
    else if (offset !== Reg.selfIpi && !isReadOnly(offset)) this.writeRegister(offset, word);
  }

  onAlarm(): void {
    if (!(this.lvt(Reg.timer) & Lvt.masked)) this.deliverLocal(Reg.timer);
    this.schedule();
  }

  /** A message from the I/O APIC or from this APIC's own ICR. */
  receive(message: InterruptMessage): void {
    if (!this.enabled || !this.isDestination(message)) return;
    if (message.mode === DeliveryMode.nmi) this.lines.nonMaskable();
    // INIT, start-up and SMI messages mean nothing to the one CPU that runs.
    if (message.mode > DeliveryMode.lowestPriority) return;
    this.accept(message.vector, message.level);
  }

  /** The LINT0 pin, which carries the PIC's INTR. */
  setLint0(high: boolean): void {
    if (high === this.state.lint0) return;
    this.state.lint0 = high;
    const lvt = this.lvt(Reg.lint0);
    if (high && !(lvt & Lvt.masked) && ((lvt >> 8) & 7) !== DeliveryMode.external) {
      this.deliverLocal(Reg.lint0);
    }
    this.lines.changed();
  }

  /** Whether the PIC may interrupt: the APIC is off, or LINT0 is an unmasked ExtINT. */
  get passesExternal(): boolean {
    const lvt = this.lvt(Reg.lint0);
    if (!this.enabled) return true;
    return !(lvt & Lvt.masked) && ((lvt >> 8) & 7) === DeliveryMode.external;
  }

  /** The vector that would be delivered now, or -1. */
  get pendingVector(): number {
    if (!this.enabled || !(this.state.svr & SVR_ENABLE)) return -1;
    const vector = highestVector(this.state.irr);
    return vector >> 4 > this.processorPriority() >> 4 ? vector : -1;
  }

  /** Moves the pending vector into service; the spurious vector if it went away. */
  acknowledge(): number {
    const vector = this.pendingVector;
    if (vector < 0) return this.state.svr & 0xff;
    setVector(this.state.irr, vector, false);
    setVector(this.state.isr, vector, true);
    this.lines.changed();
    return vector;
  }

  getTaskPriority(): number {
    return this.state.tpr >> 4;
  }

  setTaskPriority(priority: number): void {
    this.state.tpr = (priority & 15) << 4;
    this.lines.changed();
  }

  describe() {
    const { isr, tmr, irr, lvt } = this.state;
    const mode = this.x2apic ? "x2APIC" : this.enabled ? "xAPIC" : "disabled";
    const registers: { [name: string]: DeviceRegisters[string] } = {
      apicBase: { value: this.getApicBase(), words: mode },
    };
    const vectors: Record<string, readonly number[]> = { isr, tmr, irr };
    for (const [name, offset] of Object.entries(Reg)) {
      const words = vectors[name];
      if (words !== undefined) registers[name] = describeVectors(words);
      else if (!WRITE_ONLY.has(offset)) registers[name] = this.describeRegister(offset);
    }
    const others = { thermal: lvt[1]!, performance: lvt[2]! };
    for (const [name, value] of Object.entries(others)) {
      registers[name] = { value, words: describeLvt(value) };
    }
    return registers;
  }

  private describeRegister(offset: number): DeviceRegisters[string] {
    const value = this.readRegister(offset) >>> 0;
    if (offset >= Reg.timer && offset <= Reg.error) return { value, words: describeLvt(value) };
    if (offset === Reg.divide) return { value, words: `by ${timerDivisor(value)}` };
    if (offset !== Reg.svr) return value;
    return { value, words: value & SVR_ENABLE ? "enabled" : "disabled by software" };
  }

  private get enabled(): boolean {
    return (this.state.base & BaseBit.enable) !== 0;
  }

  private get x2apic(): boolean {
    return (this.state.base & BaseBit.x2apic) !== 0;
  }

  private lvt(offset: number): number {
    return this.state.lvt[(offset - Reg.timer) >> 4]!;
  }

  /** PPR: the higher of the task's priority class and that of the vector in service (16.6.4). */
  private processorPriority(): number {
    const { tpr, isr } = this.state;
    const serving = Math.max(highestVector(isr), 0) & 0xf0;
    return (tpr & 0xf0) >= serving ? tpr : serving;
  }

  private readRegister(offset: number): number {
    const s = this.state;
    if (offset >= Reg.isr && offset < Reg.esr) return this.readVectors(offset);
    if (offset >= Reg.timer && offset <= Reg.error) return this.lvt(offset);
    switch (offset) {
      case Reg.id:
        return this.x2apic ? s.id : s.id << 24;
      case Reg.version:
        return VERSION;
      case Reg.tpr:
        return s.tpr;
      case Reg.apr:
      case Reg.ppr:
        return this.processorPriority();
      case Reg.ldr:
        return s.ldr;
      case Reg.dfr:
        return s.dfr;
      case Reg.svr:
        return s.svr;
      case Reg.esr:
        return s.esr;
      case Reg.icrLow:
        return s.icrLow;
      case Reg.icrHigh:
        return s.icrHigh;
      case Reg.initialCount:
        return s.initialCount;
      case Reg.currentCount:
        return currentCount(this.timer(), this.clock.now());
      case Reg.divide:
        return s.divide;
      default:
        return 0;
    }
  }

  private readVectors(offset: number): number {
    const words =
      offset < Reg.tmr ? this.state.isr : offset < Reg.irr ? this.state.tmr : this.state.irr;
    return words[(offset >> 4) & 7]!;
  }

  private writeRegister(offset: number, value: number): void {
    const s = this.state;
    if (offset >= Reg.timer && offset <= Reg.error) this.writeLvt(offset, value);
    switch (offset) {
      case Reg.tpr:
        s.tpr = value & 0xff;
        break;
      case Reg.eoi:
        this.endOfInterrupt();
        break;
      case Reg.svr:
        s.svr = value & SVR_BITS;
        // A disabled APIC masks all its local sources (16.4.7).
        if (!(value & SVR_ENABLE)) s.lvt = s.lvt.map((entry) => entry | Lvt.masked);
        this.schedule();
        break;
      case Reg.esr:
        s.esr = s.errors;
        s.errors = 0;
        break;
      case Reg.icrLow:
        this.writeIcr(value);
        break;
      case Reg.initialCount:
        s.initialCount = value;
        s.startedAt = this.clock.now();
        this.schedule();
        break;
      case Reg.divide:
        this.rescale(() => {
          s.divide = value & 0x0b;
        });
        break;
      case Reg.selfIpi:
        this.accept(value & 0xff, false);
        break;
      default:
        break;
    }
    this.lines.changed();
  }

  private writeLvt(offset: number, value: number): void {
    const index = (offset - Reg.timer) >> 4;
    const disabled = this.state.svr & SVR_ENABLE ? 0 : Lvt.masked;
    const kept = this.state.lvt[index]! & Lvt.remoteIrr;
    const write = () => {
      this.state.lvt[index] = (value & LVT_MASKS[index]!) | disabled | kept;
    };
    if (offset === Reg.timer) this.rescale(write);
    else write();
  }

  /** Sends an interrupt: shorthand 19:18, level 15, logical 11, mode 10:8, vector 7:0. */
  private writeIcr(value: number): void {
    // Delivery is immediate, so that the pending bit 12 is never seen.
    this.state.icrLow = value & 0x000c_cfff;
    const shorthand = (value >> 18) & 3;
    const mode = (value >> 8) & 7;
    const vector = value & 0xff;
    if (mode <= DeliveryMode.lowestPriority && vector < 16) {
      this.raiseError(ESR_SEND_VECTOR);
      return;
    }
    const physical = this.x2apic ? this.state.icrHigh >>> 0 : this.state.icrHigh >>> 24;
    const everyone = this.x2apic ? 0xffff_ffff : 0xff;
    const destination = [physical, this.state.id, everyone, -1][shorthand]!;
    const logical = shorthand === 0 && (value & 0x800) !== 0;
    this.receive({ vector, mode, level: false, destination, logical });
  }

  /** Does the message name this CPU? The I/O APIC's destinations are 8 bits wide in any mode. */
  private isDestination({ destination, logical }: InterruptMessage): boolean {
    const { id, ldr, dfr } = this.state;
    if (destination === 0xff || destination === 0xffff_ffff) return true;
    if (!logical) return destination === id;
    if (this.x2apic) return destination >>> 16 === ldr >>> 16 && (destination & ldr & 0xffff) !== 0;
    const mine = ldr >>> 24;
    if (dfr >>> 28 === 15) return (destination & mine) !== 0;
    return destination >> 4 === mine >> 4 && (destination & mine & 15) !== 0;
  }

  private accept(vector: number, level: boolean): void {
    if (vector < 16) {
      this.raiseError(ESR_RECEIVE_VECTOR);
      return;
    }
    if (!(this.state.svr & SVR_ENABLE)) return;
    setVector(this.state.irr, vector, true);
    setVector(this.state.tmr, vector, level);
    this.lines.changed();
  }

  private deliverLocal(offset: number): void {
    const entry = this.lvt(offset);
    const mode = offset === Reg.timer || offset === Reg.error ? 0 : (entry >> 8) & 7;
    if (mode === DeliveryMode.nmi) this.lines.nonMaskable();
    if (mode !== DeliveryMode.fixed) return;
    const level = offset === Reg.lint0 && (entry & Lvt.level) !== 0;
    if (level) this.state.lvt[(offset - Reg.timer) >> 4]! |= Lvt.remoteIrr;
    this.accept(entry & 0xff, level);
  }

  private raiseError(bit: number): void {
    this.state.errors |= bit;
    const entry = this.lvt(Reg.error);
    // An illegal vector in the error entry itself must not raise errors without end.
    if (!(entry & Lvt.masked) && (entry & 0xff) >= 16) this.deliverLocal(Reg.error);
  }

  private endOfInterrupt(): void {
    const s = this.state;
    const vector = highestVector(s.isr);
    if (vector < 0) return;
    setVector(s.isr, vector, false);
    if (!hasVector(s.tmr, vector)) return;
    const lint0 = this.lvt(Reg.lint0);
    if (lint0 & Lvt.remoteIrr && (lint0 & 0xff) === vector) this.endLint0(lint0);
    this.lines.endOfInterrupt(vector);
  }

  private endLint0(entry: number): void {
    this.state.lvt[3] = entry & ~Lvt.remoteIrr;
    if (this.state.lint0 && !(entry & Lvt.masked)) this.deliverLocal(Reg.lint0);
  }

  /** Turning the APIC off by its base register resets all but its identity. */
  private disable(): void {
    const { id, lint0 } = this.state;
    this.state = { ...powerOn(), id, lint0 };
    this.clock.clearAlarm("timer");
  }

  private timer(): TimerState {
    const { initialCount, divide, startedAt } = this.state;
    return {
      initialCount,
      divide,
      startedAt,
      periodic: (this.lvt(Reg.timer) & Lvt.periodic) !== 0,
    };
  }

  /** Changes mode or divisor; the count goes on from where it stands. */
  private rescale(change: () => void): void {
    const now = this.clock.now();
    const before = this.timer();
    const count = currentCount(before, now);
    change();
    const after = this.timer();
    const counted = before.initialCount - count;
    const same = before.divide === after.divide && before.periodic === after.periodic;
    if (!same) this.state.startedAt = now - counted * timerDivisor(after.divide);
    this.schedule();
  }

  /** The timer counts while it is masked; no alarm is needed then. */
  private schedule(): void {
    const masked = (this.lvt(Reg.timer) & Lvt.masked) !== 0;
    const next = masked ? Number.POSITIVE_INFINITY : nextExpiry(this.timer(), this.clock.now());
    if (next === Number.POSITIVE_INFINITY) this.clock.clearAlarm("timer");
    else this.clock.setAlarm("timer", next);
  }
}
