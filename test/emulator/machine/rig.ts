// A small machine set up by hand in a given mode, with descriptor tables, page tables and handlers.

import type { Tier } from "../../../emulator/engine.ts";
import { Machine, type RunResult } from "../../../emulator/machine.ts";
import type { ObserverEvents } from "../../../emulator/observers.ts";
import type { SegmentRegister } from "../../../emulator/state/cpu-fields.ts";
import type { CpuState } from "../../../emulator/state/cpu-state.ts";
import { setRflags } from "../../../emulator/state/flags.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";

export type Mode = "real" | "protected16" | "protected32" | "long";

const RAM_BYTES = 0x40_0000;
export const GDT = 0x1000;
export const IDT = 0x2000;
/** The handler of vector v is the HLT at HANDLERS + v. */
export const HANDLERS = 0x3000;
export const TSS = 0x4000;
export const STACK = 0x8000;
/** Stack of CPL 0 for interrupts from CPL 3. */
const INNER_STACK = 0x7000;
const PML4 = 0x1_0000;
const PDPT = 0x1_1000;
const PD = 0x1_2000;
const WINDOW_PD = 0x1_4000;
const WINDOW_PT = 0x1_5000;
/** Linear addresses from here on are mapped by 4 KiB pages: see map(). */
export const WINDOW = 0x4000_0000n;
/** In real mode below 64 KiB; elsewhere the same. */
export const CODE = 0x6000;

const HLT = 0xf4;
const TABLE = 0x7n;

const DESCRIPTORS: readonly bigint[] = [
  0n,
  0x00af_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_9b00_0000_ffffn,
  0x0000_9b00_0000_ffffn,
  0x0000_9300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
];
const TSS_SELECTOR = DESCRIPTORS.length * 8;
export const USER_CODE = 0x33;
export const USER_DATA = 0x3b;
const CODE_SELECTOR = { long: 0x08, protected32: 0x18, protected16: 0x20, real: 0 } as const;
const CODE_ATTRIBUTES = {
  long: 0xa9b,
  protected32: 0xc9b,
  protected16: 0x09b,
  real: 0x093,
} as const;

export type Exception = ObserverEvents["exception"];

/** "90 f4" to bytes. */
const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (byte) => Number.parseInt(byte, 16));

export class Rig {
  constructor(mode: Mode, tier: Tier = "compiled", ramBytes = RAM_BYTES) {
    this.mode = mode;
    this.machine = new Machine({ ramBytes, tier });
    this.state = this.machine.state;
    this.setTables();
    this.setMode();
    this.machine.observe({
      name: "rig",
      on: {
        exception: (event) => {
          this.exceptions.push(event);
          return this.stopsAtException ? "stop" : undefined;
        },
        unimplemented: ({ bytes }) => {
          this.unimplemented.push(bytes.slice());
          return undefined;
        },
      },
    });
  }
  readonly mode: Mode;
  readonly machine: Machine;
  readonly state: CpuState;
  readonly exceptions: Exception[] = [];
  readonly unimplemented: Uint8Array[] = [];
  stopsAtException = true;

  private setTables(): void {
    for (const [i, entry] of DESCRIPTORS.entries()) this.write(GDT + i * 8, 8, entry);
    this.write(GDT + TSS_SELECTOR, 8, 0x0000_8b00_0000_0067n | (BigInt(TSS) << 16n));
    const long = this.mode === "long";
    this.write(TSS + 4, long ? 8 : 4, BigInt(INNER_STACK));
    if (!long) this.write(TSS + 8, 4, 0x10n);
    const code = BigInt(this.mode === "long" ? 0x08 : 0x18);
    for (let vector = 0; vector < 256; vector++) {
      const handler = BigInt(HANDLERS + vector);
      // Interrupt gates that any level may call.
      const gate = handler | (code << 16n) | (0xee00n << 32n);
      if (this.mode === "real") this.write(vector * 4, 4, handler);
      else this.write(IDT + vector * (long ? 16 : 8), 8, gate);
      this.write(HANDLERS + vector, 1, BigInt(HLT));
    }
    this.write(PML4, 8, BigInt(PDPT) | TABLE);
    this.write(PDPT, 8, BigInt(PD) | TABLE);
    this.write(PDPT + 8, 8, BigInt(WINDOW_PD) | TABLE);
    this.write(WINDOW_PD, 8, BigInt(WINDOW_PT) | TABLE);
    for (let i = 0; i < 512; i++) this.write(PD + i * 8, 8, (BigInt(i) << 21n) | 0x87n);
  }

  private setMode(): void {
    const { state, mode, machine } = this;
    const small = mode === "real" || mode === "protected16";
    const limit = small ? 0xffff : 0xffff_ffff;
    const selector = CODE_SELECTOR[mode];
    const data = small ? { selector: mode === "real" ? 0 : 0x28, attributes: 0x093 } : undefined;
    Object.assign(state.cs, { selector, attributes: CODE_ATTRIBUTES[mode], limit, base: 0n });
    for (const name of ["ss", "ds", "es", "fs", "gs"] as const) {
      Object.assign(state[name], data ?? { selector: 0x10, attributes: 0xc93 }, {
        limit,
        base: 0n,
      });
    }
    Object.assign(state.gdtr, { base: BigInt(GDT), limit: TSS_SELECTOR + 15 });
    Object.assign(state.idtr, { base: mode === "real" ? 0n : BigInt(IDT), limit: 0xfff });
    const tr = { selector: TSS_SELECTOR, attributes: 0x8b, limit: 0x67, base: BigInt(TSS) };
    Object.assign(state.tr, tr);
    if (mode === "real") state.cr0 &= ~CR0.PE;
    if (mode === "long") {
      state.cr3 = BigInt(PML4);
      state.cr4 = CR4.PAE | CR4.OSFXSR;
      state.efer = EFER.LME | EFER.LMA | EFER.NXE | EFER.SCE | EFER.SVME;
      state.cr0 |= CR0.PG | CR0.WP;
    }
    state.rsp = BigInt(STACK);
    state.rip = BigInt(CODE);
    machine.cpu.deriveMode();
  }

  /** Goes on at CPL 3 (long mode). */
  toUser(): void {
    const { state } = this;
    Object.assign(state.cs, { selector: USER_CODE, attributes: 0xafb });
    for (const name of ["ss", "ds", "es"] as const) {
      Object.assign(state[name], { selector: USER_DATA, attributes: 0xcf3 });
    }
    state.cpl = 3;
    this.machine.cpu.deriveMode();
  }

  write(address: number, size: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.machine.memory.poke(address, bytes.subarray(0, size));
  }

  read(address: number, size: number): bigint {
    const bytes = new Uint8Array(8);
    bytes.set(this.machine.memory.peek(address, size));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** Maps a page of the window: bits as in an entry (7: present, writable, user). */
  map(index: number, physical: number, bits = 7n): bigint {
    this.write(WINDOW_PT + index * 8, 8, BigInt(physical) | bits);
    return WINDOW + BigInt(index * 0x1000);
  }

  unmap(index: number): void {
    this.write(WINDOW_PT + index * 8, 8, 0n);
  }

  code(text: string, address = CODE): void {
    this.machine.memory.poke(address, hex(text));
  }

  setSegment(name: SegmentRegister, values: { base?: bigint; limit?: number }): void {
    Object.assign(this.state[name], values);
    this.machine.cpu.deriveMode();
  }

  setFlags(rflags: bigint): void {
    setRflags(this.state, rflags | 2n);
  }

  run(instructions: number): RunResult {
    return this.machine.run({ instructions, idleTicks: 0 });
  }

  /** Name and code of the exception that came last: "GP(0)", "UD", or "" if none came. */
  get lastException(): string {
    return nameOf(this.exceptions.at(-1));
  }

  /** The one that came first; its delivery may have raised others. */
  get firstException(): string {
    return nameOf(this.exceptions[0]);
  }
}

function nameOf(exception: Exception | undefined): string {
  if (exception === undefined) return "";
  const name = exception.name ?? `INT ${exception.vector}`;
  return exception.errorCode === undefined ? name : `${name}(${exception.errorCode.toString(16)})`;
}
