/** A CPU's state and memory without a CPU: enough to drive the MMU. */

import { LinearMemory } from "../../../emulator/memory/mmu.ts";
import { MachineMemory } from "../../../emulator/memory/physical-memory.ts";
import { Observers } from "../../../emulator/observers.ts";
import { type CpuState, createCpuState } from "../../../emulator/state/cpu-state.ts";
import {
  bankIndex,
  CPU_BASE,
  FAST_TLB_ENTRY,
  RAM_BASE,
  TLB_ENTRIES,
} from "../../../emulator/state/memory-map.ts";

export const MIB = 1 << 20;

export const CR0_PG = 1n << 31n;
export const CR0_WP = 1n << 16n;
export const CR4_PSE = 1n << 4n;
export const CR4_PAE = 1n << 5n;
export const CR4_PGE = 1n << 7n;
export const CR4_SMEP = 1n << 20n;
export const CR4_SMAP = 1n << 21n;
export const EFER_LMA = 1n << 10n;
export const EFER_NXE = 1n << 11n;
export const CS_LONG = 1 << 9;

export interface Fixture {
  readonly state: CpuState;
  readonly physical: MachineMemory;
  readonly mmu: LinearMemory;
  readonly observers: Observers;
  readonly ram: DataView;
  readonly linearMemory: DataView;
}

export function makeFixture(ramBytes = 4 * MIB): Fixture {
  const pages = Math.ceil((RAM_BASE + ramBytes) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const observers = new Observers();
  const physical = new MachineMemory(memory, ramBytes, observers);
  const state = createCpuState(memory, CPU_BASE);
  const mmu = new LinearMemory(physical, state);
  const ram = new DataView(memory.buffer, RAM_BASE, ramBytes);
  return { state, physical, mmu, observers, ram, linearMemory: new DataView(memory.buffer) };
}

/** Long mode at CPL 0 with write protection and NX. */
export function enterLongMode(f: Fixture, cr3: bigint): void {
  f.state.cr0 = CR0_PG | CR0_WP | 1n;
  f.state.cr4 = CR4_PAE | CR4_PGE;
  f.state.efer = EFER_LMA | EFER_NXE;
  f.state.cr3 = cr3;
  f.state.cs.attributes = CS_LONG;
  f.mmu.selectBank();
}

/** A guest in long mode whose own tables are at gpa `cr3`, over nested tables in long mode. */
export function enterGuest(f: Fixture, cr3: bigint, nestedCr3: bigint, asid = 1): void {
  enterLongMode(f, cr3);
  f.state.guestMode = 1;
  f.state.nestedPaging = 1;
  f.state.asid = asid;
  f.state.nestedCr3 = nestedCr3;
  f.state.hostCr0 = CR0_PG | 1n;
  f.state.hostCr4 = CR4_PAE;
  f.state.hostEfer = EFER_LMA | EFER_NXE;
  f.mmu.selectBank();
}

export const P = 1n;
export const W = 2n;
export const U = 4n;
export const A = 0x20n;
export const D = 0x40n;
export const PS = 0x80n;
export const G = 0x100n;
export const NX = 1n << 63n;

/** Long-mode tables built page by page from `next`. */
export class Tables {
  readonly root: bigint;
  readonly #ram: DataView;
  #next: number;

  constructor(ram: DataView, first: number) {
    this.#ram = ram;
    this.root = BigInt(first);
    this.#next = first + 0x1000;
  }

  /** Address of the entry for `linear` at `level`, with tables made on the way. */
  entry(linear: bigint, level = 1): number {
    let table = Number(this.root);
    for (let l = 4; ; l--) {
      const at = table + Number((linear >> BigInt(3 + 9 * l)) & 0x1ffn) * 8;
      if (l === level) return at;
      let value = this.#ram.getBigUint64(at, true);
      if ((value & P) === 0n) {
        value = BigInt(this.#next) | P | W | U;
        this.#next += 0x1000;
        this.#ram.setBigUint64(at, value, true);
      }
      table = Number(value & 0xffffff000n);
    }
  }

  map(linear: bigint, physical: bigint, bits: bigint, level = 1): number {
    const at = this.entry(linear, level);
    this.#ram.setBigUint64(at, physical | bits | (level > 1 ? PS : 0n), true);
    return at;
  }
}

const dataIndex = (linear: bigint): number =>
  bankIndex(Number(BigInt.asUintN(32, linear)), TLB_ENTRIES);

/** The first page above this one that takes the same data entry. */
export function rivalOf(linear: bigint): bigint {
  let page = linear + 0x1000n;
  while (dataIndex(page) !== dataIndex(linear)) page += 0x1000n;
  return page;
}

/** Whether generated code would find this access in the fast tags of the current bank. */
export function fastHit(f: Fixture, linear: bigint, size: number, write: boolean): boolean {
  const slot = dataIndex(linear);
  const at = f.state.tlbBank + slot * FAST_TLB_ENTRY + (write ? 8 : 0);
  const last = BigInt.asUintN(64, linear + BigInt(size - 1));
  return f.linearMemory.getBigUint64(at, true) === (last & ~0xfffn);
}

/** Reads as generated code does: fast tags, else the slow path. */
export function load(f: Fixture, linear: bigint): number {
  if (!fastHit(f, linear, 1, false)) return f.linearMemory.getUint8(f.mmu.readSlow(linear, 1));
  const slot = dataIndex(linear);
  const addend = f.linearMemory.getUint32(f.state.tlbBank + slot * FAST_TLB_ENTRY + 16, true);
  return f.linearMemory.getUint8((Number(linear & 0xffff_ffffn) + addend) % 2 ** 32);
}

/** Writes one byte as generated code does. */
export function store(f: Fixture, linear: bigint, value: number): void {
  if (fastHit(f, linear, 1, true)) {
    const slot = dataIndex(linear);
    const addend = f.linearMemory.getUint32(f.state.tlbBank + slot * FAST_TLB_ENTRY + 16, true);
    f.linearMemory.setUint8((Number(linear & 0xffff_ffffn) + addend) % 2 ** 32, value);
    return;
  }
  const at = f.mmu.writeSlow(linear, 1);
  f.linearMemory.setUint8(at, value);
  if (at < RAM_BASE) f.mmu.commitWrite();
}

/** The architectural TLB as comparable text. */
export function tlbContents(f: Fixture): string {
  return [...f.mmu.tlb.entries()]
    .map((e) => [e.kind, e.bank, e.linear, e.frame, e.rights, e.asid, e.pageBits].join(" "))
    .join("\n");
}

/** The value thrown by `run`. */
export function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
