/** Address translation for the debugger: the CPU's walker without side effects, with every level told. */

import type { CpuState } from "../state/cpu-state.ts";
import { high32, join32, low32 } from "./halves.ts";
import { type EntryMemory, isLeaf, PagingStage, Walk } from "./page-walk.ts";
import { Access, Entry, FaultCode, PagingMode, Rights } from "./paging-bits.ts";

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
  /** A supervisor's data access to which SMAP applies: CR4.SMAP = 1 and RFLAGS.AC = 0. */
  readonly smap?: boolean;
}

export interface TranslationLevel {
  /** "nested" entries translate the address of the "paging" entry (or page) that follows. */
  readonly stage: "paging" | "nested";
  /** AMD's name of the entry. */
  readonly entry: "PML4E" | "PDPE" | "PDE" | "PTE";
  /** From 4 (PML4E) to 1 (PTE), and the entry's place in its table. */
  readonly level: number;
  readonly index: number;
  /** Host-physical address and value of the entry. */
  readonly address: number;
  readonly value: bigint;
  /** Size of the entry: 4 in legacy tables, else 8. */
  readonly bytes: 4 | 8;
  /** Address of a "paging" entry as the guest gives it, under nested tables. */
  readonly guestAddress: bigint | undefined;
  /** Whether it names a page, not a table. */
  readonly leaf: boolean;
  /** What this entry alone allows. */
  readonly rights: TranslationRights;
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
      /** What the first stage gives; undefined where there is one stage only. */
      readonly guestPhysical: bigint | undefined;
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
      /** Index in `levels` of the entry at fault; undefined where no entry is. */
      readonly culprit: number | undefined;
    };

const ENTRY_NAMES = ["", "PTE", "PDE", "PDPE", "PML4E"] as const;

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
      const none = { levels: [], culprit: undefined };
      return { kind: "fault", fault: "GP", code: 0n, address, reason, ...none };
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
      this.#levels.push(this.#level(stage, name, level, address, low, high));
    };
    return stage;
  }

  #level(
    stage: PagingStage,
    name: "paging" | "nested",
    level: number,
    address: number,
    low: number,
    high: number,
  ): TranslationLevel {
    const { mode, second } = stage;
    const bytes = mode === PagingMode.legacy ? 4 : 8;
    // Legacy PAE: four PDPTEs at any multiple of 32, which have no rights.
    const pdpte = mode === PagingMode.pae && level === 3;
    const place = pdpte ? address & 0x1f : address & 0xfff;
    return {
      stage: name,
      entry: ENTRY_NAMES[level] as TranslationLevel["entry"],
      level,
      index: place / bytes,
      address,
      value: join32(low, high),
      bytes,
      guestAddress: second === null ? undefined : join32(second.inputLow, second.inputHigh),
      leaf: isLeaf(mode, stage.pageSizeExtensions, level, low),
      rights: {
        write: pdpte || (low & Entry.writable) !== 0,
        user: pdpte || (low & Entry.user) !== 0,
        execute: pdpte || high >= 0,
      },
    };
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
      (access?.fetch ? Access.fetch : 0) |
      (access?.smap && !access.user && !access.fetch ? Access.smap : 0);
    const outcome = stage.walk(low32(address), high32(address), bits);
    if (outcome !== Walk.done) return this.#fault(stage, outcome, address, bits);
    const nested = stage.second;
    return {
      kind: "page",
      physical: stage.physical,
      guestPhysical: nested === null ? undefined : join32(nested.inputLow, nested.inputHigh),
      pageSize: 2 ** stage.pageBits,
      nestedPageSize: nested === null ? undefined : 2 ** nested.pageBits,
      rights: rightsOf(stage),
      nestedRights: nested === null ? undefined : rightsOf(nested),
      levels: this.#levels,
    };
  }

  #fault(stage: PagingStage, outcome: Walk, address: bigint, access: number): Translation {
    const inNested = stage === this.#nested || outcome !== Walk.fault;
    const failed = inNested ? this.#nested : stage;
    const which = outcome === Walk.tableFault ? 1n << 33n : 1n << 32n;
    // What the failed stage was asked for: a walk of guest tables is a user's write, and no fetch.
    const tableWalk = outcome === Walk.tableFault;
    let bits = tableWalk ? Access.write | Access.user : access | (inNested ? Access.user : 0);
    if ((bits & Access.user) === 0 && !failed.writeProtect) bits &= ~Access.write;
    const culprit = this.#culprit(failed, bits);
    return {
      kind: "fault",
      fault: inNested ? "NPF" : "PF",
      code: BigInt(failed.faultCode) | (inNested ? which : 0n),
      address: inNested ? join32(failed.inputLow, failed.inputHigh) : address,
      reason: this.#reason(failed, culprit, bits),
      levels: this.#levels,
      culprit,
    };
  }

  /** The entry that ended the walk, or the first of it that denies the access. */
  #culprit(failed: PagingStage, bits: number): number | undefined {
    const levels = this.#levels;
    const last = levels.length - 1;
    const name = failed === this.#nested ? "nested" : "paging";
    if (levels[last]?.stage !== name) return undefined;
    const { faultCode } = failed;
    const denied = (faultCode & FaultCode.present) !== 0 && (faultCode & FaultCode.reserved) === 0;
    if (!denied) return last;
    // A nested walk is the run of entries at the end; a first stage's entries have walks between.
    let first = last;
    if (name === "paging") first = levels.findIndex(({ stage }) => stage === "paging");
    else while (levels[first - 1]?.stage === name) first--;
    for (let i = first; i <= last; i++) {
      const { stage, rights } = levels[i] as TranslationLevel;
      if (stage === name && deniedBy(rights, bits) !== undefined) return i;
    }
    return last;
  }

  #reason(failed: PagingStage, culprit: number | undefined, bits: number): string {
    const level = culprit === undefined ? undefined : this.#levels[culprit];
    if (level === undefined) return "no table translates this address";
    const place = `${level.stage === "nested" ? "nested " : ""}${level.entry} at hpa:0x${level.address.toString(16)}`;
    const { faultCode } = failed;
    if ((faultCode & FaultCode.present) === 0) return `${place} is not present`;
    if ((faultCode & FaultCode.reserved) !== 0) return `${place} has a reserved bit set`;
    const denied = deniedBy(level.rights, bits);
    if (denied !== undefined) return `${place} ${denied}`;
    const rule = (bits & Access.fetch) !== 0 ? "SMEP forbids its execution" : "SMAP forbids it";
    return `${place} is a user page, and ${rule} at supervisor level`;
  }
}

/** Which right a denied access lacks in an entry; undefined if it has all (SMEP and SMAP aside). */
function deniedBy(rights: TranslationRights, access: number): string | undefined {
  if ((access & Access.user) !== 0 && !rights.user) return "is for the supervisor only";
  if ((access & Access.write) !== 0 && !rights.write) return "is read-only";
  if ((access & Access.fetch) !== 0 && !rights.execute) return "is no-execute";
  return undefined;
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
