/** The custom requests about all exits of a recording: their arguments and bodies (part of protocol.ts). */

/** Columns that exits can be sorted by. */
export const EXIT_SORTS = [
  "number",
  "reason",
  "guest",
  "icount",
  "cost",
  "rip",
  "cr3",
  "info",
] as const;
export type ExitSort = (typeof EXIT_SORTS)[number];

/** What exits can be counted by; only IOIO has a port, and only MSR an MSR. */
export const EXIT_GROUPS = ["reason", "guest", "rip", "cr3", "port", "msr"] as const;
export type ExitGroupKey = (typeof EXIT_GROUPS)[number];

/** Which exits of the recording, its future's among them, and how they are shown. */
export interface ExitLedgerArguments {
  /** Conditions that must all hold, as `minvisor exits --where` takes them; all exits without. */
  readonly filter?: string;
  /** By number where missing; equals stay in the order of their numbers. */
  readonly sort?: ExitSort;
  readonly descending?: boolean;
  /** Groups are given instead of rows. */
  readonly groupBy?: ExitGroupKey;
  /** How many to leave out at the start, and how many to give at most (none by default). */
  readonly start?: number;
  readonly count?: number;
}

export interface ExitLedgerRow {
  /** From 1, as `minvisor/seek` takes it. */
  readonly number: number;
  readonly reason: string;
  readonly exitinfo1: string;
  readonly exitinfo2: string;
  /** What EXITINFO1 and 2 say, in words; "" where nothing. */
  readonly info: string;
  /** The guest's. */
  readonly rip: string;
  /** "function+0x12"; missing where no symbol is known now. */
  readonly symbol?: string;
  /** 0 where VMRUN never got into a guest. */
  readonly guest: number;
  readonly icount: number;
  /** Instructions that the host retired until its next VMRUN; missing where none has come. */
  readonly cost?: number;
}

export interface ExitLedgerGroup {
  /** A reason, or a number. */
  readonly key: string;
  /** What the number is known as: a symbol, or an MSR's name. */
  readonly name?: string;
  readonly count: number;
  /** Sum of the costs of those that have one. */
  readonly cost: number;
  /** The condition that exits of the group fulfil. */
  readonly filter: string;
}

export interface ExitLedgerBody {
  /** How many exits fulfil the filter; of groups, how many are in one. */
  readonly total: number;
  /** The last exit before now: 0 where none was, and no index where the filter leaves it out. */
  readonly here: { readonly exit: number; readonly index?: number };
  /** Empty where groups were asked for. */
  readonly rows: readonly ExitLedgerRow[];
  /** The commonest first. */
  readonly groups: readonly ExitLedgerGroup[];
  /** How many groups there are. */
  readonly groupTotal: number;
}

/** A stretch of the recording, both ends in it: all of it where they are missing. */
export interface ExitDensityArguments {
  readonly from?: number;
  readonly to?: number;
  /** Into how many equal pieces it is divided. */
  readonly buckets: number;
  readonly filter?: string;
}

export interface ExitDensityBody {
  readonly from: number;
  readonly to: number;
  /** Where the machine is, and where the recording ends. */
  readonly icount: number;
  readonly endIcount: number;
  /** Exits in each piece, the commonest reason first. */
  readonly reasons: readonly { readonly reason: string; readonly counts: readonly number[] }[];
}

export interface ExitLedgerRequests {
  readonly "minvisor/exitLedger": { arguments: ExitLedgerArguments; body: ExitLedgerBody };
  readonly "minvisor/exitDensity": { arguments: ExitDensityArguments; body: ExitDensityBody };
}
