/** Bits of page-table entries, control registers and page-fault error codes that paging looks at. */

/** APM volume 2, section 5.4.1: bits in the low half of an entry of any format. */
export const Entry = {
  present: 1 << 0,
  writable: 1 << 1,
  user: 1 << 2,
  accessed: 1 << 5,
  dirty: 1 << 6,
  pageSize: 1 << 7,
  global: 1 << 8,
} as const;

/** Low halves of the control registers. */
export const Cr0 = { protection: 1, writeProtect: 1 << 16, paging: 1 << 31 } as const;
export const Cr4 = {
  pageSizeExtensions: 1 << 4,
  physicalAddressExtensions: 1 << 5,
  globalPages: 1 << 7,
  smep: 1 << 20,
  smap: 1 << 21,
} as const;
export const Efer = { longModeActive: 1 << 10, noExecute: 1 << 11 } as const;

/** Page-fault error code, and the low half of EXITINFO1 for nested faults (section 15.25.6). */
export const FaultCode = {
  present: 1 << 0,
  write: 1 << 1,
  user: 1 << 2,
  reserved: 1 << 3,
  fetch: 1 << 4,
} as const;

/**
 * What an access is, in the positions of the error code. `smap` marks a supervisor data access to
 * which SMAP applies (CR4.SMAP = 1, and RFLAGS.AC = 0 or the access is implicit).
 */
export const Access = {
  read: 0,
  write: FaultCode.write,
  user: FaultCode.user,
  fetch: FaultCode.fetch,
  smap: 1 << 8,
} as const;

/**
 * What a translation allows: W and U of all levels combined, X if no level has NX; `dirty` if every
 * stage's leaf is marked dirty and writable by the hypervisor's tables, so that a write needs no
 * walk; `global` if the leaf is global and CR4.PGE is 1.
 */
export const Rights = {
  execute: 1 << 0,
  write: Entry.writable,
  user: Entry.user,
  dirty: Entry.dirty,
  global: Entry.global,
} as const;

/** Paging modes; the value is the number of table levels. */
export const PagingMode = { none: 0, legacy: 2, pae: 3, long: 4 } as const;
export type PagingMode = (typeof PagingMode)[keyof typeof PagingMode];

/** The mode that CR0.PG, CR4.PAE and EFER.LMA select (low halves). */
export function pagingMode(cr0: number, cr4: number, efer: number): PagingMode {
  if ((cr0 & Cr0.paging) === 0) return PagingMode.none;
  if ((cr4 & Cr4.physicalAddressExtensions) === 0) return PagingMode.legacy;
  return (efer & Efer.longModeActive) !== 0 ? PagingMode.long : PagingMode.pae;
}
