/** Linear memory of a code page and a data page inside the machine's WebAssembly memory; nothing else is present. */

import { CPU_FIELDS } from "../../../emulator/state/cpu-fields.ts";
import type { CpuState } from "../../../emulator/state/cpu-state.ts";
import {
  bankIndex,
  FAST_TLB_ENTRY,
  FAST_TLB_OFFSET,
  PAGE_SIZE,
  TLB_ENTRIES,
  TLB_NO_TAG,
} from "../../../emulator/state/memory-map.ts";
import { GuestFault } from "../../../emulator/system/exceptions.ts";
import { isCanonical } from "../../../emulator/system/mode.ts";
import { CODE_ADDRESS, DATA_ADDRESS } from "../../harness/host-oracle/vector.ts";

const PAGE = BigInt(PAGE_SIZE);
const CODE_AT = 0x300000;
const DATA_AT = 0x301000;
const BREAKPOINT = 0xcc;

export class TwoPages {
  readonly code: Uint8Array;
  readonly data: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly bank: number;
  private readonly bounce: number;
  private pending: { linear: bigint; size: number } | undefined;

  constructor(memory: WebAssembly.Memory, state: CpuState) {
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.code = this.bytes.subarray(CODE_AT, CODE_AT + PAGE_SIZE).fill(BREAKPOINT);
    this.data = this.bytes.subarray(DATA_AT, DATA_AT + PAGE_SIZE);
    this.bank = state.base + FAST_TLB_OFFSET;
    this.bounce = state.base + CPU_FIELDS.bounce0.offset;
    state.tlbBank = this.bank;
    for (let i = 0; i < TLB_ENTRIES; i++) this.setTags(i, TLB_NO_TAG, 0);
  }

  private setTags(index: number, tag: bigint, addend: number): void {
    const at = this.bank + index * FAST_TLB_ENTRY;
    this.view.setBigUint64(at, tag, true);
    this.view.setBigUint64(at + 8, tag, true);
    this.view.setInt32(at + 16, addend, true);
  }

  /** With fast tags generated code reaches the data page itself; without, through the slow paths. */
  useFastTags(on: boolean): void {
    const linear = DATA_ADDRESS - (DATA_ADDRESS % PAGE);
    const index = bankIndex(Number(BigInt.asUintN(32, linear)), TLB_ENTRIES);
    this.setTags(index, on ? linear : TLB_NO_TAG, DATA_AT - Number(linear));
  }

  private place(linear: bigint, write: boolean): number {
    if (!isCanonical(linear)) throw new GuestFault("GP");
    const page = linear / PAGE;
    const at = Number(linear % PAGE);
    if (page === DATA_ADDRESS / PAGE) return DATA_AT + at;
    if (page === CODE_ADDRESS / PAGE && !write) return CODE_AT + at;
    throw new GuestFault("PF", write ? 6 : 4, linear);
  }

  // ---- what the evaluator asks of the MMU ----
  probeWrite(linear: bigint, size: number): void {
    this.place(linear, true);
    this.place(linear + BigInt(size - 1), true);
  }

  read(linear: bigint, size: number): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++) {
      const byte = this.bytes[this.place(linear + BigInt(i), false)] ?? 0;
      value |= BigInt(byte) << BigInt(8 * i);
    }
    return value;
  }

  readForWrite(linear: bigint, size: number): bigint {
    this.probeWrite(linear, size);
    return this.read(linear, size);
  }

  write(linear: bigint, size: number, value: bigint): void {
    this.probeWrite(linear, size);
    for (let i = 0; i < size; i++) {
      const byte = Number((value >> BigInt(8 * i)) & 0xffn);
      this.bytes[this.place(linear + BigInt(i), true)] = byte;
    }
  }

  // ---- what generated code asks of it: always through the bounce buffer ----
  readSlow(linear: bigint, size: number): number {
    this.place(linear + BigInt(size - 1), false);
    for (let i = 0; i < size; i++) {
      this.bytes[this.bounce + i] = this.bytes[this.place(linear + BigInt(i), false)] ?? 0;
    }
    return this.bounce;
  }

  writeSlow(linear: bigint, size: number): number {
    this.probeWrite(linear, size);
    this.pending = { linear, size };
    return this.bounce;
  }

  modifySlow(linear: bigint, size: number): number {
    this.probeWrite(linear, size);
    this.readSlow(linear, size);
    this.pending = { linear, size };
    return this.bounce;
  }

  commitWrite(): void {
    if (this.pending === undefined) throw new Error("Nothing to commit");
    const { linear, size } = this.pending;
    this.pending = undefined;
    for (let i = 0; i < size; i++) {
      this.bytes[this.place(linear + BigInt(i), true)] = this.bytes[this.bounce + i] ?? 0;
    }
  }
}
