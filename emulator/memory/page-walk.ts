/**
 * The one page walker, for the CPU and the debugger: every paging mode, alone or over nested tables.
 *
 * Addresses and entries are two 32-bit halves, or doubles for physical addresses: no BigInt and no
 * allocation on the way of a TLB miss. MAXPHYADDR is 40. PAT, PCD and PWT have no effect.
 * APM volume 2, chapter 5 and sections 15.25.5 to 15.25.6.
 */

import {
  Access,
  Cr0,
  Cr4,
  Efer,
  Entry,
  FaultCode,
  PagingMode,
  pagingMode,
  Rights,
} from "./paging-bits.ts";

/** Where table entries are read. Reads have no side effects; outside RAM they give all ones. */
export interface EntryMemory {
  entryLow(address: number): number;
  entryHigh(address: number): number;
  /** ORs bits into the low half of an entry: the Accessed and Dirty updates of a walk. */
  setEntryBits(address: number, bits: number): void;
}

/** How a walk ended. */
export const Walk = {
  done: 0,
  /** This stage has no translation or forbids the access: faultCode is the error code. */
  fault: 1,
  /** The second stage faulted on an entry of this stage's tables. */
  tableFault: 2,
  /** The second stage faulted on the final address. */
  finalFault: 3,
} as const;
export type Walk = (typeof Walk)[keyof typeof Walk];

/** CPUID Fn8000_0001_EDX[Page1GB] of this machine: without it PS is reserved in a PDPE. */
const PAGE_1GB = true;

const HIGH = 4294967296;
/** Bits 39:32 of a physical address, in the high half of an entry. */
const ADDRESS_HIGH = 0xff;
const NO_EXECUTE = 0x8000_0000 | 0;
/** Section 15.25.5: walks of guest tables are user writes at the nested level. */
const NESTED_TABLE_ACCESS = Access.write | Access.user;

/** Called for each entry read: level (1 = PTE), host-physical address, and the two halves. */
export type WalkTrace = (level: number, address: number, low: number, high: number) => void;

/** Whether a present entry names a page, not a table. */
export function isLeaf(
  mode: PagingMode,
  pageSizeExtensions: boolean,
  level: number,
  low: number,
): boolean {
  if (level === 1) return true;
  if ((low & Entry.pageSize) === 0) return false;
  if (level === 2) return mode !== PagingMode.legacy || pageSizeExtensions;
  return level === 3 && mode === PagingMode.long;
}

/** Reserved and must-be-zero bits of a present entry (section 5.3 and figures there). */
export function hasReservedBits(
  mode: PagingMode,
  noExecuteEnabled: boolean,
  level: number,
  leaf: boolean,
  low: number,
  high: number,
): boolean {
  if (mode === PagingMode.legacy) return leaf && level === 2 && (low & 0x20_0000) !== 0;
  if (mode === PagingMode.pae) {
    if (level === 3) return (high & ~ADDRESS_HIGH) !== 0 || (low & 0x1e6) !== 0;
    if ((high & 0x7fff_ff00) !== 0) return true;
  } else if ((high & 0x000f_ff00) !== 0) {
    return true;
  }
  if (!noExecuteEnabled && (high & NO_EXECUTE) !== 0) return true;
  if (level === 2) return leaf && (low & 0x1f_e000) !== 0;
  if (level === 3) return leaf ? !PAGE_1GB || (low & 0x3fff_e000) !== 0 : (low & 0x100) !== 0;
  return level === 4 && (low & 0x180) !== 0;
}

/** One stage of translation: a set of tables and the rules that apply to them. */
export class PagingStage {
  readonly #memory: EntryMemory;
  mode: PagingMode = PagingMode.none;
  root = 0;
  noExecuteEnabled = false;
  writeProtect = false;
  pageSizeExtensions = false;
  globalPages = false;
  smep = false;
  /** The nested tables through which this stage's tables and results go. */
  second: PagingStage | null = null;
  /** Legacy PAE: the four PDPTE registers as eight halves; null reads them from memory. */
  pdptes: Int32Array | null = null;
  /** Whether the rights of the entries can fault; presence and reserved bits always can. */
  checkRights = true;
  /** Whether Accessed and Dirty bits are set. */
  update = true;
  trace: WalkTrace | null = null;

  /** Results of a walk that is done. */
  physical = 0;
  pageBits = 12;
  rights = 0;
  /** Input and error code of the last walk, for its fault. */
  inputLow = 0;
  inputHigh = 0;
  faultCode = 0;

  #entryLow = 0;
  #entryHigh = 0;
  #used = 0;
  readonly #usedAt = new Float64Array(4);
  readonly #usedLow = new Int32Array(4);

  constructor(memory: EntryMemory) {
    this.#memory = memory;
  }

  /** Takes mode, root and rules from control registers given as 32-bit halves. */
  configure(cr0: number, cr4: number, efer: number, cr3Low: number, cr3High: number): void {
    const mode = pagingMode(cr0, cr4, efer);
    this.mode = mode;
    this.writeProtect = (cr0 & Cr0.writeProtect) !== 0;
    this.noExecuteEnabled = mode >= PagingMode.pae && (efer & Efer.noExecute) !== 0;
    this.pageSizeExtensions = (cr4 & Cr4.pageSizeExtensions) !== 0;
    this.globalPages = (cr4 & Cr4.globalPages) !== 0;
    this.smep = (cr4 & Cr4.smep) !== 0;
    if (mode === PagingMode.long) {
      this.root = ((cr3Low & ~0xfff) >>> 0) + (cr3High & ADDRESS_HIGH) * HIGH;
    } else {
      this.root = (cr3Low & (mode === PagingMode.pae ? ~0x1f : ~0xfff)) >>> 0;
    }
  }

  /** Translates the address high:low for an access (Access bits). */
  walk(low: number, high: number, access: number): Walk {
    this.inputLow = low;
    this.inputHigh = high;
    this.#used = 0;
    const mode = this.mode;
    if (mode === PagingMode.none) return this.#unpaged(low, high, access);
    // Guest-physical addresses past 4 GiB have no entry in 32-bit nested tables.
    if (high !== 0 && mode !== PagingMode.long) return this.#fault(access, 0);
    let table = this.root;
    let rights = Rights.execute | Rights.write | Rights.user;
    for (let level: number = mode; ; level--) {
      const outcome = this.#readEntry(level, table, low, high);
      if (outcome !== Walk.done) return outcome;
      const entryLow = this.#entryLow;
      const entryHigh = this.#entryHigh;
      if ((entryLow & Entry.present) === 0) return this.#fault(access, 0);
      const leaf = isLeaf(mode, this.pageSizeExtensions, level, entryLow);
      if (hasReservedBits(mode, this.noExecuteEnabled, level, leaf, entryLow, entryHigh)) {
        return this.#fault(access, FaultCode.present | FaultCode.reserved);
      }
      // Legacy PDPTEs have no rights; NX exists only where entries have a high half.
      if (level !== 3 || mode === PagingMode.long) {
        rights &= entryLow | Rights.execute;
        if (entryHigh < 0) rights &= ~Rights.execute;
      }
      if (leaf) return this.#finish(level, low, rights, access);
      table = ((entryLow & ~0xfff) >>> 0) + (entryHigh & ADDRESS_HIGH) * HIGH;
    }
  }

  #unpaged(low: number, high: number, access: number): Walk {
    this.physical = (low >>> 0) + (high >>> 0) * HIGH;
    this.pageBits = 12;
    this.rights = Rights.execute | Rights.write | Rights.user | Rights.dirty;
    return this.second === null ? Walk.done : this.#throughSecond(this.second, access);
  }

  #readEntry(level: number, table: number, low: number, high: number): Walk {
    const mode = this.mode;
    let at: number;
    if (mode === PagingMode.legacy) {
      at = table + (level === 2 ? low >>> 22 : (low >>> 12) & 0x3ff) * 4;
    } else if (level === 4) {
      at = table + ((high >>> 7) & 0x1ff) * 8;
    } else if (level === 3) {
      const index = mode === PagingMode.pae ? low >>> 30 : (low >>> 30) | ((high & 0x7f) << 2);
      if (mode === PagingMode.pae && this.pdptes !== null) {
        this.#entryLow = this.pdptes[index * 2] ?? 0;
        this.#entryHigh = this.pdptes[index * 2 + 1] ?? 0;
        this.trace?.(level, table + index * 8, this.#entryLow, this.#entryHigh);
        return Walk.done;
      }
      at = table + index * 8;
    } else {
      at = table + ((level === 2 ? low >>> 21 : low >>> 12) & 0x1ff) * 8;
    }
    const second = this.second;
    if (second !== null) {
      const high32 = (at / HIGH) | 0;
      if (second.walk(at | 0, high32, NESTED_TABLE_ACCESS) !== Walk.done) return Walk.tableFault;
      at = second.physical;
    }
    const entry = this.#memory.entryLow(at);
    this.#entryLow = entry;
    this.#entryHigh = mode === PagingMode.legacy ? 0 : this.#memory.entryHigh(at);
    if (level !== 3 || mode === PagingMode.long) {
      this.#usedAt[this.#used] = at;
      this.#usedLow[this.#used++] = entry;
    }
    this.trace?.(level, at, entry, this.#entryHigh);
    return Walk.done;
  }

  #finish(level: number, low: number, tableRights: number, access: number): Walk {
    const leaf = this.#entryLow;
    if (this.mode === PagingMode.legacy && level === 2) {
      // PSE-36: bits 20:13 of the PDE are bits 39:32 of the address.
      this.pageBits = 22;
      this.physical =
        (((leaf & ~0x3f_ffff) | (low & 0x3f_ffff)) >>> 0) + ((leaf >>> 13) & ADDRESS_HIGH) * HIGH;
    } else {
      this.pageBits = 3 + level * 9;
      const mask = (1 << this.pageBits) - 1;
      this.physical =
        (((leaf & ~mask) | (low & mask)) >>> 0) + (this.#entryHigh & ADDRESS_HIGH) * HIGH;
    }
    let rights = tableRights;
    if (this.globalPages) rights |= leaf & Rights.global;
    if (this.checkRights && !this.#allows(rights, access)) {
      return this.#fault(access, FaultCode.present);
    }
    const update = this.update ? this.#updates(access) : 0;
    this.rights = rights | ((leaf | update) & Rights.dirty);
    if (this.second !== null) {
      const outcome = this.#throughSecond(this.second, access);
      if (outcome !== Walk.done) return outcome;
    }
    if (update !== 0) this.#setBits(update);
    return Walk.done;
  }

  /** The final address of the guest, as a user access of the same kind at the nested level. */
  #throughSecond(second: PagingStage, access: number): Walk {
    const physical = this.physical;
    const kind = Access.user | (access & (Access.write | Access.fetch));
    if (second.walk(physical | 0, (physical / HIGH) | 0, kind) !== Walk.done)
      return Walk.finalFault;
    this.physical = second.physical;
    const writable = Rights.dirty | Rights.write;
    if ((second.rights & writable) !== writable) this.rights &= ~Rights.dirty;
    return Walk.done;
  }

  #allows(rights: number, access: number): boolean {
    if ((access & Access.fetch) !== 0 && (rights & Rights.execute) === 0) return false;
    if ((access & Access.user) !== 0) {
      if ((rights & Rights.user) === 0) return false;
      return (access & Access.write) === 0 || (rights & Rights.write) !== 0;
    }
    if ((rights & Rights.user) !== 0) {
      if ((access & Access.smap) !== 0) return false;
      if ((access & Access.fetch) !== 0 && this.smep) return false;
    }
    return (access & Access.write) === 0 || (rights & Rights.write) !== 0 || !this.writeProtect;
  }

  /** Bits that this walk has yet to set in the leaf, with Accessed if any entry lacks it. */
  #updates(access: number): number {
    const last = this.#used - 1;
    const wanted = (access & Access.write) !== 0 ? Entry.accessed | Entry.dirty : Entry.accessed;
    let missing = wanted & ~(this.#usedLow[last] as number);
    for (let i = 0; i < last; i++) missing |= Entry.accessed & ~(this.#usedLow[i] as number);
    return missing;
  }

  #setBits(missing: number): void {
    const last = this.#used - 1;
    for (let i = 0; i <= last; i++) {
      const wanted = i === last ? missing : missing & Entry.accessed;
      const bits = wanted & ~(this.#usedLow[i] as number);
      if (bits !== 0) this.#memory.setEntryBits(this.#usedAt[i] as number, bits);
    }
  }

  #fault(access: number, code: number): Walk {
    let known = access & (Access.write | Access.user);
    // I/D is defined where fetches can be told apart: NX enabled, or SMEP.
    if (this.noExecuteEnabled || this.smep) known |= access & Access.fetch;
    this.faultCode = code | known;
    return Walk.fault;
  }
}
