/** The custom requests about addresses: their arguments and bodies (part of protocol.ts). */

export type AccessKind = "read" | "write" | "execute";

export interface TranslateArguments {
  /** Any memory reference; parts left out mean the current ones. */
  readonly memoryReference: string;
  /** Checks rights for this access; without it only presence and reserved bits count. */
  readonly access?: AccessKind;
  /** Whether the access is a user's (CPL 3); default: as the CPL of that world is now. */
  readonly user?: boolean;
}

export interface EntryRights {
  readonly write: boolean;
  readonly user: boolean;
  readonly execute: boolean;
}

/** One table entry of a walk. */
export interface WalkEntry {
  /** Which tables it belongs to: "nested" entries translate the address of what follows. */
  readonly stage: "host" | "guest" | "nested";
  /** AMD's name: PML4E, PDPE, PDE or PTE. */
  readonly name: string;
  readonly index: number;
  /** Where the entry lies. */
  readonly hpa: string;
  /** Where the guest sees it, if it lies behind nested tables. */
  readonly gpa?: string;
  readonly value: string;
  /** The bits that are set, by the manual's names: "P R/W U/S A D PS". */
  readonly bits: string;
  /** Missing where the entry names a table. */
  readonly pageSize?: number;
  readonly rights: EntryRights;
}

export interface AccessFault {
  /** "none": the CPU would not fault, the address means nothing. */
  readonly kind: "#PF" | "#GP" | "NPF" | "none";
  /** Error code of #PF, or EXITINFO1 of NPF. */
  readonly code: string;
  readonly inWords: string;
  /** CR2 of #PF, or EXITINFO2 of NPF. */
  readonly address: string;
  readonly reason: string;
  /** Index of the entry at fault in `walk`. */
  readonly entry?: number;
}

/** What an access of some kind and privilege would meet; no fault: it succeeds. */
export interface AccessVerdict {
  readonly access: AccessKind;
  readonly user: boolean;
  readonly fault?: AccessFault;
}

export interface TlbTranslation {
  readonly kind: "data" | "instruction";
  /** The bank: entries made by user or by supervisor accesses. */
  readonly user: boolean;
  readonly hpa: string;
  readonly rights: EntryRights;
  /** It differs from what the tables say now: the CPU still uses the old translation. */
  readonly stale: boolean;
}

export interface TranslateBody {
  /** The reference with all its parts. */
  readonly memoryReference: string;
  readonly walk: readonly WalkEntry[];
  /** Missing where there is none, or the translation ends before. */
  readonly gpa?: string;
  readonly hpa?: string;
  /** All levels of a stage combined; an access needs both stages' rights. */
  readonly permissions: { readonly [stage in "host" | "guest" | "nested"]?: EntryRights };
  /** Why the translation ends, or the access asked about fails. */
  readonly fault?: AccessFault;
  readonly accesses: readonly AccessVerdict[];
  /** The PAT's type of each stage's page, e.g. "guest WB, nested WB"; MTRRs are not looked at. */
  readonly memoryType?: string;
  /** What is at the host-physical address. */
  readonly target?: { readonly kind: "RAM" | "ROM" | "device" | "hole"; readonly device?: string };
  readonly symbol?: string;
  /** What the CPU's TLB holds for this page now. */
  readonly tlb: readonly TlbTranslation[];
  /** All of it in words, a line each. */
  readonly text: string;
}

export interface ReverseTranslateArguments {
  /** Any memory reference; a virtual one is translated first. */
  readonly memoryReference: string;
  /** Most mappings to give; default 1000. */
  readonly limit?: number;
}

/** An address that reaches the byte. */
export interface ReachingAddress {
  readonly memoryReference: string;
  readonly pageSize: number;
  /** Of the tables of its own stage. */
  readonly rights: EntryRights;
  readonly symbol?: string;
}

export interface ReverseTranslateBody {
  /** Missing where the reference has no translation. */
  readonly hpa?: string;
  /** hva of the host, then gpa and gva of each guest, under each world's present tables. */
  readonly mappings: readonly ReachingAddress[];
  /** Why the list is not whole; missing where it is. */
  readonly incomplete?: string;
  readonly text: string;
}

export interface AddressRequests {
  readonly "minvisor/translate": { arguments: TranslateArguments; body: TranslateBody };
  readonly "minvisor/reverseTranslate": {
    arguments: ReverseTranslateArguments;
    body: ReverseTranslateBody;
  };
}
