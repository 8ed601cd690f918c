/** The 82093AA I/O APIC at 0xFEC00000: 24 inputs redirected to the local APIC. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceState } from "./device.ts";
import { DeliveryMode, deliveryModeName, type InterruptMessage } from "./interrupt-message.ts";

export const IO_APIC_BASE = 0xfec0_0000;
const INPUTS = 24;
/** Version 0x20 (with an EOI register), 23 is the last entry. */
const VERSION = 0x0017_0020;

/** Low half of a redirection entry; 7:0 vector, 10:8 delivery mode. */
const Entry = {
  logical: 0x800,
  pending: 0x1000,
  remoteIrr: 0x4000,
  level: 0x8000,
  masked: 0x1_0000,
} as const;
const READ_ONLY = Entry.pending | Entry.remoteIrr;

/** "vector 0x30, fixed, edge, to 0, masked". */
function describeEntry(low: number, high: number): string {
  const parts = [
    `vector 0x${(low & 0xff).toString(16)}`,
    deliveryModeName((low >> 8) & 7),
    low & Entry.level ? "level" : "edge",
    `to ${low & Entry.logical ? "logical " : ""}${high >>> 24}`,
  ];
  if (low & Entry.remoteIrr) parts.push("in service");
  if (low & Entry.masked) parts.push("masked");
  return parts.join(", ");
}

const powerOn = () => ({
  select: 0,
  id: 0,
  low: new Array<number>(INPUTS).fill(Entry.masked),
  high: new Array<number>(INPUTS).fill(0),
  /** Levels of the inputs, and requests not yet delivered. */
  inputs: 0,
  irr: 0,
});

export class IoApic implements Device {
  readonly name = "io-apic";
  private readonly deliver: (message: InterruptMessage) => void;
  private state = powerOn();

  constructor(deliver: (message: InterruptMessage) => void) {
    this.deliver = deliver;
  }

  reset(): void {
    this.state = powerOn();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  setLine(input: number, high: boolean): void {
    const s = this.state;
    const bit = 1 << input;
    const rose = high && !(s.inputs & bit);
    s.inputs = high ? s.inputs | bit : s.inputs & ~bit;
    if (s.low[input]! & Entry.level) s.irr = high ? s.irr | bit : s.irr & ~bit;
    // An edge that comes while the entry is masked is lost (data sheet, 3.2.4, bit 16).
    else if (rose && !(s.low[input]! & Entry.masked)) s.irr |= bit;
    this.service(input);
  }

  /** The local APIC ended a level-triggered interrupt with this vector. */
  endOfInterrupt(vector: number): void {
    const s = this.state;
    for (let input = 0; input < INPUTS; input++) {
      if ((s.low[input]! & 0xff) !== vector || !(s.low[input]! & Entry.remoteIrr)) continue;
      s.low[input]! &= ~Entry.remoteIrr;
      this.service(input);
    }
  }

  readMmio(address: number): bigint {
    const offset = address & 0xff;
    if (offset === 0) return BigInt(this.state.select);
    return offset === 0x10 ? BigInt(this.readRegister()) : 0n;
  }

  peekMmio(address: number): bigint {
    return this.readMmio(address);
  }

  writeMmio(address: number, _size: 1 | 2 | 4 | 8, value: bigint): void {
    const offset = address & 0xff;
    const word = Number(value & 0xffff_ffffn);
    if (offset === 0) this.state.select = word & 0xff;
    else if (offset === 0x10) this.writeRegister(word);
    else if (offset === 0x40) this.endOfInterrupt(word & 0xff);
  }

  describe() {
    const { id, select, irr, low, high } = this.state;
    const registers: { [name: string]: number | { value: bigint; words: string } } = {
      id,
      select,
      irr,
    };
    for (let input = 0; input < INPUTS; input++) {
      const upper = BigInt(high[input]! >>> 0) << 32n;
      const words = describeEntry(low[input]!, high[input]!);
      registers[`redirect${input}`] = { value: upper | BigInt(low[input]! >>> 0), words };
    }
    return registers;
  }

  private readRegister(): number {
    const { select, id, low, high } = this.state;
    if (select === 0 || select === 2) return (id << 24) >>> 0;
    if (select === 1) return VERSION;
    const input = (select - 0x10) >> 1;
    if (select < 0x10 || input >= INPUTS) return 0;
    return (select & 1 ? high[input]! : low[input]!) >>> 0;
  }

  private writeRegister(value: number): void {
    const s = this.state;
    const input = (s.select - 0x10) >> 1;
    if (s.select === 0) s.id = (value >>> 24) & 15;
    if (s.select < 0x10 || input >= INPUTS) return;
    if (s.select & 1) {
      s.high[input] = value;
      return;
    }
    const bit = 1 << input;
    s.low[input] = (value & 0x1_ffff & ~READ_ONLY) | (s.low[input]! & READ_ONLY);
    // Edge entries have no remote IRR; a level entry follows its input.
    if (value & Entry.level) s.irr = s.inputs & bit ? s.irr | bit : s.irr & ~bit;
    else s.low[input]! &= ~Entry.remoteIrr;
    this.service(input);
  }

  private service(input: number): void {
    const s = this.state;
    const low = s.low[input]!;
    const bit = 1 << input;
    if (!(s.irr & bit) || low & Entry.masked || low & Entry.remoteIrr) return;
    const level = (low & Entry.level) !== 0;
    if (level) s.low[input] = low | Entry.remoteIrr;
    else s.irr &= ~bit;
    const mode = (low >> 8) & 7;
    if (mode === DeliveryMode.external) return;
    const destination = s.high[input]! >>> 24;
    const logical = (low & Entry.logical) !== 0;
    this.deliver({ vector: low & 0xff, mode, level, destination, logical });
  }
}
