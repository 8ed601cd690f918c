/** Sets up the page walker from a vCPU's registers: own paging, or guest paging over nested tables. */

import { CPU_FIELDS, type FieldName } from "../state/cpu-fields.ts";
import type { CpuState } from "../state/cpu-state.ts";
import { type EntryMemory, PagingStage } from "./page-walk.ts";
import { Cr4, Efer } from "./paging-bits.ts";

/** Index of a field in the vCPU's state as 32-bit words. */
const word = (name: FieldName): number => CPU_FIELDS[name].offset / 4;

const CR0 = word("cr0");
const CR3 = word("cr3");
const CR4 = word("cr4");
const EFER = word("efer");
const FLAGS_OTHER = word("flagsOther");
const ASID = word("asid");
const NESTED_CR3 = word("nestedCr3");
const HOST_CR0 = word("hostCr0");
const HOST_CR4 = word("hostCr4");
const HOST_EFER = word("hostEfer");
const PDPTES = word("pdpte0");
/** Attribute bit L of the VMCB form, in the upper half of the segment's first word. */
const CS = word("cs");
const CS_LONG = 1 << (16 + 9);
const ALIGNMENT_CHECK = 1 << 18;

/** Registers that decide on translation, read where they live: nothing here can go stale. */
export class CpuPaging {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** The stage that takes linear addresses. */
  readonly stage: PagingStage;
  readonly nested: PagingStage;
  readonly #pdptes: Int32Array;

  constructor(memory: WebAssembly.Memory, state: CpuState, tables: EntryMemory) {
    this.#words = new Int32Array(memory.buffer, state.base, 1024);
    this.#bytes = new Uint8Array(memory.buffer, state.base, 4096);
    this.#pdptes = this.#words.subarray(PDPTES, PDPTES + 8);
    this.stage = new PagingStage(tables);
    this.nested = new PagingStage(tables);
  }

  get cr0(): number {
    return this.#words[CR0] as number;
  }

  get smap(): boolean {
    return ((this.#words[CR4] as number) & Cr4.smap) !== 0;
  }

  get smep(): boolean {
    return ((this.#words[CR4] as number) & Cr4.smep) !== 0;
  }

  get alignmentCheck(): boolean {
    return ((this.#words[FLAGS_OTHER] as number) & ALIGNMENT_CHECK) !== 0;
  }

  get longModeActive(): boolean {
    return ((this.#words[EFER] as number) & Efer.longModeActive) !== 0;
  }

  get bits64(): boolean {
    return this.longModeActive && ((this.#words[CS] as number) & CS_LONG) !== 0;
  }

  get cpl(): number {
    return this.#bytes[CPU_FIELDS.cpl.offset] as number;
  }

  /** 0 host, 1 guest. */
  get world(): number {
    return this.#bytes[CPU_FIELDS.guestMode.offset] !== 0 ? 1 : 0;
  }

  /** ASID of the present world: the host's is 0. */
  get asid(): number {
    return this.world === 0 ? 0 : (this.#words[ASID] as number);
  }

  /** The stage for linear addresses, set up from the registers as they are now. */
  prepare(): PagingStage {
    const w = this.#words;
    const stage = this.stage;
    stage.configure(
      w[CR0] as number,
      w[CR4] as number,
      w[EFER] as number,
      w[CR3] as number,
      w[CR3 + 1] as number,
    );
    const overNested = this.world === 1 && this.#bytes[CPU_FIELDS.nestedPaging.offset] !== 0;
    stage.second = overNested ? this.nested : null;
    // Section 15.25.10: with nested paging the PDPTEs are read from memory, not from registers.
    stage.pdptes = overNested ? null : this.#pdptes;
    if (overNested) {
      this.nested.configure(
        w[HOST_CR0] as number,
        w[HOST_CR4] as number,
        w[HOST_EFER] as number,
        w[NESTED_CR3] as number,
        w[NESTED_CR3 + 1] as number,
      );
    }
    return stage;
  }
}
