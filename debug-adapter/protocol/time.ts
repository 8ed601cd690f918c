/** The custom requests that go back in time, and that ask what made things so (part of protocol.ts). */
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { ConsolePort } from "../protocol.ts";

/** The first or last of the recording, or the next or previous from now. */
export const OCCURRENCES = ["first", "last", "next", "previous"] as const;
export type Occurrence = (typeof OCCURRENCES)[number];

/**
 * Where `minvisor/seek` goes: one of `icount`, `exit`, `to`, `console`, `condition`, `violation`,
 * `culprit` and `future`.
 */
export interface SeekArguments {
  /** Instructions retired since reset. */
  readonly icount?: number;
  /** Number of an exit, from 1. */
  readonly exit?: number;
  readonly to?: "start" | "end" | "previousExit";
  /** Number of a future (`minvisor/futures`): to the `icount` or the `exit` there, or to its end. */
  readonly future?: number;
  /** To where the last byte of a text left the port, or any port; the last time by default. */
  readonly console?: {
    readonly text: string;
    readonly port?: ConsolePort;
    readonly occurrence?: Occurrence;
  };
  /** To where this expression is not 0. */
  readonly condition?: string;
  /** Of the condition: which time it holds (the last by default), and at what it is asked. */
  readonly occurrence?: Occurrence;
  readonly at?: string;
  /** To the first violation of the recording, of one `invariant` or of any. */
  readonly violation?: "first";
  readonly invariant?: string;
  /** To the instruction that broke the invariant of this name the last time. */
  readonly culprit?: string;
}

/** Which values of a place: what `dataBreakpointInfo` takes, and how many to give (100), leaving out the newest `start`. */
export interface HistoryArguments extends DebugProtocol.DataBreakpointInfoArguments {
  readonly start?: number;
  readonly count?: number;
}

/** One write of a place. */
export interface ValueWrite {
  /** Behind the write: `minvisor/seek` goes there. */
  readonly icount: number;
  /** How many exits there had been. */
  readonly exit: number;
  readonly world: "host" | "guest";
  readonly old: string;
  readonly new: string;
  /** The instruction or the exit that wrote, in words. */
  readonly writer: string;
  readonly instructionReference?: string;
  readonly path?: string;
  readonly line?: number;
}

export interface HistoryBody {
  readonly name: string;
  /** Newest first. */
  readonly writes: readonly ValueWrite[];
  /** There are earlier ones. */
  readonly hasMore: boolean;
}

/** What made an exit happen, where that is kept, and who changed it last before. */
export interface ExitCause {
  readonly name: string;
  readonly text: string;
  readonly memoryReference?: string;
  /** Missing where only the loader or the zero fill has, and where there is no place. */
  readonly written?: ValueWrite;
}

export interface WhyBody {
  readonly exit: number;
  readonly reason: string;
  readonly causes: readonly ExitCause[];
  /** All of it in a few sentences. */
  readonly text: string;
}

/** Where the machine is in its recording. */
export interface TimelineBody {
  readonly isRecording: boolean;
  readonly isInPast: boolean;
  readonly icount: number;
  readonly endIcount: number;
  readonly exit: number;
  readonly exits: number;
  /** Memory of the snapshots, in bytes, and how many there are. */
  readonly snapshotBytes: number;
  readonly snapshots: number;
  /** Number of the future that it is in, and how many there are. */
  readonly future: number;
  readonly futures: number;
}

export interface TimeRequests {
  readonly "minvisor/seek": { arguments: SeekArguments; body: undefined };
  readonly "minvisor/reverse": {
    arguments: {
      readonly threadId: number;
      readonly kind: "over" | "in" | "out";
      readonly granularity?: DebugProtocol.SteppingGranularity;
    };
    body: undefined;
  };
  readonly "minvisor/lastWriter": {
    arguments: DebugProtocol.DataBreakpointInfoArguments;
    body: undefined;
  };
  readonly "minvisor/history": { arguments: HistoryArguments; body: HistoryBody };
  readonly "minvisor/why": { arguments: { readonly exit?: number }; body: WhyBody };
  readonly "minvisor/timeline": { arguments: object; body: TimelineBody };
  readonly "minvisor/allowFork": { arguments: object; body: undefined };
}
