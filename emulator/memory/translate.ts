/** Address translation for the debugger: the CPU's walker without side effects, with every level told. */

import type { CpuState } from "../state/cpu-state.ts";
import { type EntryMemory, PagingStage, Walk } from "./page-walk.ts";
import { Access, FaultCode, PagingMode, Rights } from "./paging-bits.ts";

/** The registers that make a linear address space; a VMCB's save area can supply them. */
export interface PagingContext {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** Legacy PAE: the loaded PDPTE registers; without them they are read from memory. */
  readonly pdptes?: readonly [bigint, bigint, bigint, bigint];
}

/** Nested tables and the host's control registers at VMRUN, which give their mode. */
export interface NestedContext {
  readonly cr0: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly nestedCr3: bigint;
}

/** An access whose rights are checked as the CPU would check them. */
export interface TranslationAccess {
  readonly write?: boolean;
  readonly user?: boolean;
  readonly fetch?: boolean;
}

export interface TranslationLevel {
  /** "nested" entries translate the address of the "paging" entry (or page) that follows. */
  readonly stage: "paging" | "nested";
  /** AMD's name of the entry. */
  readonly entry: "PML4E" | "PDPE" | "PDE" | "PTE";
  /** Host-physical address and value of the entry. */
  readonly address: number;
  readonly value: bigint;
}

export interface TranslationRights {
  readonly write: boolean;
  readonly user: boolean;
  readonly execute: boolean;
}

export type Translation =
  | {
      readonly kind: "page";
      readonly physical: number;
      /** Of the first stage, and of the nested one. */
      readonly pageSize: number;
      readonly nestedPageSize: number | undefined;
      /** All levels of a stage combined; the CPU needs both stages' rights. */
      readonly rights: TranslationRights;
      readonly nestedRights: TranslationRights | undefined;
      readonly levels: readonly TranslationLevel[];
    }
  | {
      readonly kind: "fault";
      /** "none": no CPU fault, the address means nothing in these worlds. */
      readonly fault: "GP" | "PF" | "NPF" | "none";
      /** Error code, or EXITINFO1 for NPF. */
      readonly code: bigint;
      /** CR2, or EXITINFO2 for NPF. */
      readonly address: bigint;
      readonly reason: string;
      readonly levels: readonly TranslationLevel[];
    };

const ENTRY_NAMES = ["", "PTE", "PDE", "PDPE", "PML4E"] as const;

const low32 = (value: bigint): number => Number(BigInt.asIntN(32, value));
const high32 = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

function rightsOf(stage: PagingStage): TranslationRights {
  return {
    write: (stage.rights & Rights.write) !== 0,
    user: (stage.rights & Rights.user) !== 0,
    execute: (stage.rights & Rights.execute) !== 0,
  };
}

/** Translates for display: sets no Accessed or Dirty bit, fills no TLB, reads no device. */
export class Translator {
  readonly #paging: PagingStage;
  readonly #nested: PagingStage;
  #levels: TranslationLevel[] = [];

  constructor(memory: EntryMemory) {
    this.#paging = this.#makeStage(memory, "paging");
    this.#nested = this.#makeStage(memory, "nested");
  }

  /** A linear address under `paging`, whose physical addresses go through `nested` if given. */
  linear(
    address: bigint,
    paging: PagingContext,
    nested?: NestedContext,
    access?: TranslationAccess,
  ): Translation {
    const stage = this.#paging;
    stage.configure(
      low32(paging.cr0),
      low32(paging.cr4),
      low32(paging.efer),
      low32(paging.cr3),
      high32(paging.cr3),
    );
    const pdptes = nested === undefined ? paging.pdptes : undefined;
    stage.pdptes =
      pdptes === undefined ? null : new Int32Array(pdptes.flatMap((e) => [low32(e), high32(e)]));
    stage.second = nested === undefined ? null : this.#nested;
    if (nested !== undefined) this.#configureNested(nested);
    this.#levels = [];
    const canonical = BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
    if (stage.mode === PagingMode.long && !canonical) {
      const reason = "the address is not canonical";
      return { kind: "fault", fault: "GP", code: 0n, address, reason, levels: [] };
    }
    return this.#translate(stage, address, access);
  }

  /** A guest-physical address. */
  guestPhysical(address: bigint, nested: NestedContext, access?: TranslationAccess): Translation {
    this.#configureNested(nested);
    this.#levels = [];
    return this.#translate(this.#nested, address, access && { ...access, user: true });
  }

  #makeStage(memory: EntryMemory, name: "paging" | "nested"): PagingStage {
    const stage = new PagingStage(memory);
    stage.update = false;
    stage.trace = (level, address, low, high) => {
      const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      const entry = ENTRY_NAMES[level] as TranslationLevel["entry"];
      this.#levels.push({ stage: name, entry, address, value });
    };
    return stage;
  }

  #configureNested(nested: NestedContext): void {
    this.#nested.configure(
      low32(nested.cr0),
      low32(nested.cr4),
      low32(nested.efer),
      low32(nested.nestedCr3),
      high32(nested.nestedCr3),
    );
  }

  #translate(stage: PagingStage, address: bigint, access?: TranslationAccess): Translation {
    const checked = access !== undefined;
    this.#paging.checkRights = checked;
    this.#nested.checkRights = checked;
    const bits =
      (access?.write ? Access.write : 0) |
      (access?.user ? Access.user : 0) |
      (access?.fetch ? Access.fetch : 0);
    const outcome = stage.walk(low32(address), high32(address), bits);
    if (outcome !== Walk.done) return this.#fault(stage, outcome, address);
    const nested = stage.second;
    return {
      kind: "page",
      physical: stage.physical,
      pageSize: 2 ** stage.pageBits,
      nestedPageSize: nested === null ? undefined : 2 ** nested.pageBits,
      rights: rightsOf(stage),
      nestedRights: nested === null ? undefined : rightsOf(nested),
      levels: this.#levels,
    };
  }

  #fault(stage: PagingStage, outcome: Walk, address: bigint): Translation {
    const inNested = stage === this.#nested || outcome !== Walk.fault;
    const failed = inNested ? this.#nested : stage;
    const which = outcome === Walk.tableFault ? 1n << 33n : 1n << 32n;
    const input = (BigInt(failed.inputHigh >>> 0) << 32n) | BigInt(failed.inputLow >>> 0);
    return {
      kind: "fault",
      fault: inNested ? "NPF" : "PF",
      code: BigInt(failed.faultCode) | (inNested ? which : 0n),
      address: inNested ? input : address,
      reason: this.#reason(failed),
      levels: this.#levels,
    };
  }

  #reason(failed: PagingStage): string {
    const last = this.#levels.at(-1);
    if (last === undefined) return "no table translates this address";
    const place = `${last.stage === "nested" ? "nested " : ""}${last.entry} at hpa:0x${last.address.toString(16)}`;
    if ((failed.faultCode & FaultCode.present) === 0) return `${place} is not present`;
    if ((failed.faultCode & FaultCode.reserved) !== 0) return `${place} has a reserved bit set`;
    return `the rights up to ${place} do not allow this access`;
  }
}

/** The linear address space in which the CPU runs now. */
export function currentPaging(state: CpuState): PagingContext {
  const { cr0, cr3, cr4, efer, pdpte0, pdpte1, pdpte2, pdpte3 } = state;
  return { cr0, cr3, cr4, efer, pdptes: [pdpte0, pdpte1, pdpte2, pdpte3] };
}

/** The nested tables in use, if the CPU runs a guest with nested paging. */
export function currentNested(state: CpuState): NestedContext | undefined {
  if (state.guestMode === 0 || state.nestedPaging === 0) return undefined;
  const { hostCr0, hostCr4, hostEfer, nestedCr3 } = state;
  return { cr0: hostCr0, cr4: hostCr4, efer: hostEfer, nestedCr3 };
}
