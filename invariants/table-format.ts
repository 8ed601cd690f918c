/** The formats of page tables, nested or the host's own: which entries lead where (APM volume 2, chapter 5). */

import { CR4, EFER, hasReservedBits, isLeaf, PagingMode, pagingMode } from "../emulator/index.ts";

export interface TableFormat {
  /** Also the number of levels. */
  readonly mode: Exclude<PagingMode, 0>;
  readonly entryBytes: 4 | 8;
  /** CR4.PSE: 4 MiB pages in 32-bit tables. */
  readonly pageSizeExtensions: boolean;
  readonly noExecuteEnabled: boolean;
}

/** The registers that choose the format. */
export interface PagingRegisters {
  readonly cr0: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

const formats = new Map<number, TableFormat>();

/**
 * The format of the host's tables, and so of nested ones (section 15.25.3); undefined: no paging.
 * Equal formats are the same object.
 */
export function hostFormat({ cr0, cr4, efer }: PagingRegisters): TableFormat | undefined {
  const low = (value: bigint): number => Number(BigInt.asIntN(32, value));
  const mode = pagingMode(low(cr0), low(cr4), low(efer));
  if (mode === PagingMode.none) return undefined;
  const pageSizeExtensions = (cr4 & CR4.PSE) !== 0n;
  const noExecuteEnabled = mode !== PagingMode.legacy && (efer & EFER.NXE) !== 0n;
  return tableFormat({ mode, pageSizeExtensions, noExecuteEnabled });
}

/** What a format is, beside what follows from it. */
export type FormatChoice = Omit<TableFormat, "entryBytes">;

export function tableFormat(choice: FormatChoice): TableFormat {
  const { mode, pageSizeExtensions, noExecuteEnabled } = choice;
  const key = mode * 4 + (pageSizeExtensions ? 2 : 0) + (noExecuteEnabled ? 1 : 0);
  let format = formats.get(key);
  if (format === undefined) {
    const entryBytes = mode === PagingMode.legacy ? 4 : 8;
    format = { ...choice, entryBytes };
    formats.set(key, format);
  }
  return format;
}

/** Where CR3 or nCR3 says that the top table is. MAXPHYADDR is 40. */
export function rootAddress({ mode }: TableFormat, cr3: bigint): number {
  if (mode === PagingMode.long) return Number(cr3 & 0xff_ffff_f000n);
  return Number(cr3 & (mode === PagingMode.pae ? 0xffff_ffe0n : 0xffff_f000n));
}

/** A legacy-PAE top table has four entries in 32 bytes; every other table is a page. */
export function entriesOf({ mode, entryBytes }: TableFormat, level: number): number {
  return mode === PagingMode.pae && level === 3 ? 4 : 4096 / entryBytes;
}

/** Bytes of address space that one entry of this level translates. */
export function spanOf({ entryBytes }: TableFormat, level: number): number {
  return 4096 * (4096 / entryBytes) ** (level - 1);
}

export const EntryKind = { none: 0, table: 1, leaf: 2 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** What the CPU's walk makes of an entry. One with a reserved bit set leads nowhere: it faults. */
export function entryKind(
  { mode, pageSizeExtensions, noExecuteEnabled }: TableFormat,
  level: number,
  low: number,
  high: number,
): EntryKind {
  if ((low & 1) === 0) return EntryKind.none;
  const leaf = isLeaf(mode, pageSizeExtensions, level, low);
  if (hasReservedBits(mode, noExecuteEnabled, level, leaf, low, high)) return EntryKind.none;
  return leaf ? EntryKind.leaf : EntryKind.table;
}

/** The table or page that an entry of this kind names. */
export function entryTarget(
  format: TableFormat,
  level: number,
  kind: EntryKind,
  low: number,
  high: number,
): number {
  const isPage = kind === EntryKind.leaf && level > 1;
  if (isPage && format.mode === PagingMode.legacy) {
    // PSE-36: bits 20:13 of the entry are bits 39:32 of the address.
    return ((low & 0xffc0_0000) >>> 0) + ((low >>> 13) & 0xff) * 2 ** 32;
  }
  const mask = isPage ? spanOf(format, level) - 1 : 0xfff;
  return ((low & ~mask) >>> 0) + (high & 0xff) * 2 ** 32;
}

/**
 * Bits of an entry that the CPU itself sets, Accessed and Dirty: they change no translation. In a
 * legacy-PAE top table they are reserved and the CPU leaves them.
 */
export function statusBits({ mode }: TableFormat, level: number): bigint {
  return mode === PagingMode.pae && level === 3 ? 0n : 0x60n;
}
