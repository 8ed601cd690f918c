/**
 * What the debugger adds to the Debug Adapter Protocol: launch attributes, custom requests and
 * custom events. The extension imports this file, and of `protocol/` the table of exits.
 */
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { AddressRequests } from "./protocol/addresses.ts";
import type { ExitLedgerRequests } from "./protocol/exits.ts";
import type { FutureRequests } from "./protocol/futures.ts";
import type {
  InvariantPolicies,
  InvariantRequests,
  InvariantStatus,
  ViolationBody,
} from "./protocol/invariants.ts";
import type { TimeRequests } from "./protocol/time.ts";

/** Attributes of a launch configuration, named as the command line's options. */
export interface LaunchAttributes {
  /** Multiboot image or Linux bzImage. Relative paths are relative to `cwd`. */
  readonly kernel: string;
  /** Kernel command line. */
  readonly append?: string;
  /** Boot modules: "FILE ARGS" (quote a path with spaces), or path and arguments apart. */
  readonly modules?: readonly (string | { readonly path: string; readonly args?: string })[];
  /** "512M", "1G", or bytes. Default 512M. */
  readonly memory?: string | number;
  /** Where COM1 and COM2 go: "stdio" (the client's console), "null" or a file. */
  readonly serial?: readonly (string | null)[];
  /** Stop before the first instruction. */
  readonly stopOnEntry?: boolean;
  /** Which invariants are checked: all (default), none, or those named. */
  readonly invariants?: boolean | readonly string[];
  /** Paths of .inv files with invariants of one's own, beside those that the debugger ships. */
  readonly invariantFiles?: readonly string[];
  /** What a violation does, by the invariant's name or "*" for all others; default "stop". */
  readonly invariantPolicy?: InvariantPolicies;
  /** Host-physical ranges of the hypervisor, e.g. "0x10000000-0x10400000" (end not included). */
  readonly hypervisorMemory?: readonly string[];
  /** Directories of debug information, by the directories they are in here. */
  readonly sourceMap?: { readonly [from: string]: string };
  /** ELF files with symbols of what runs in the guest, or of the host where `world` says so. */
  readonly symbols?: readonly (
    | string
    | { readonly path: string; readonly world?: "host" | "guest" }
  )[];
  readonly cwd?: string;
  /** Let virtual time of an idle machine pass as fast as the wall clock; default true. */
  readonly pacing?: boolean;
  /** Keep the past, so that the session can go back in time; default true. */
  readonly recording?: boolean;
  /** Memory for the snapshots of the past: "512M" (default), or bytes. */
  readonly recordingMemory?: string | number;
  /** The run is written into this file as it goes on (.mvrec); the one before is kept beside it. */
  readonly recordingFile?: string;
  /** Whether steps stay in their world (default) or follow the CPU across VMRUN and #VMEXIT. */
  readonly stepPolicy?: StepPolicy;
}

/**
 * What a step does where the CPU goes from one world to the other: run the other world until it
 * comes back, or stop on its first instruction.
 */
export const STEP_POLICIES = ["sameWorld", "followCpu"] as const;
export type StepPolicy = (typeof STEP_POLICIES)[number];

/**
 * How a frame of the stack was found: by call frame information or the like, by the chain of frame
 * pointers, or as a likely return address on the stack.
 */
export type FrameCertainty = "exact" | "framePointer" | "scanned";

/** A frame as stackTrace answers it; labels have no certainty. */
export interface CertainStackFrame extends DebugProtocol.StackFrame {
  readonly certainty?: FrameCertainty;
}

/** Attributes of an attach configuration: a machine that waits, or a recorded run. */
export interface AttachAttributes extends RecordingAttributes {
  /** Name of a machine that waits in this adapter process; may be left out where only one does. */
  readonly machine?: string;
  /** A recording's file (.mvrec): its run is the session's past. */
  readonly recording?: string;
  /** Where in the recording the session begins; default "end". */
  readonly at?: "start" | "end";
}

/** What a launch configuration says that a recording does not. */
export type RecordingAttributes = Pick<LaunchAttributes, (typeof RECORDING_ATTRIBUTES)[number]>;

export const RECORDING_ATTRIBUTES = [
  "symbols",
  "sourceMap",
  "cwd",
  "stepPolicy",
  "invariants",
  "invariantFiles",
  "invariantPolicy",
  "hypervisorMemory",
  "recordingMemory",
] as const satisfies readonly (keyof LaunchAttributes)[];

export type ConsolePort = "com1" | "com2" | "debug";

/** Text that left a port of the machine, or is to enter it. */
export interface ConsoleText {
  readonly port: ConsolePort;
  readonly text: string;
}

export interface SourceLine {
  readonly path: string;
  readonly line: number;
}

/** Counts of exits by reason since the start. */
export interface ExitCounts {
  readonly total: number;
  readonly byReason: { readonly [reason: string]: number };
}

/** How numbers are shown; names, flags and booleans stay words. */
export type NumberFormat = "hexadecimal" | "decimal";

/** The machine's clocks and stop, for a status bar. */
export interface MachineStatus {
  readonly icount: number;
  readonly ticks: number;
  readonly world: "host" | "guest";
  readonly running: boolean;
  /** What each invariant says so far; missing where none is attached. */
  readonly invariants: readonly InvariantStatus[];
  /** How often the machine had no instruction for an opcode, by its bytes; each was #UD. */
  readonly undefinedOpcodes: { readonly [bytes: string]: number };
}

/** `id` of a failed response's error. */
export const ERROR_IDS = {
  other: 1,
  /** The machine is in its past, where a change has to be allowed first: `minvisor/allowFork`. */
  past: 2,
} as const;

/** Custom requests by name, with arguments and body of the response. */
export interface CustomRequests
  extends AddressRequests,
    ExitLedgerRequests,
    FutureRequests,
    InvariantRequests,
    TimeRequests {
  readonly "minvisor/consoleInput": { arguments: ConsoleText; body: object };
  readonly "minvisor/setEventBreakpoints": {
    arguments: { readonly breakpoints: readonly EventBreakpoint[] };
    body: { readonly breakpoints: DebugProtocol.Breakpoint[] };
  };
  readonly "minvisor/exitCodes": { arguments: object; body: { readonly exits: ExitCode[] } };
  readonly "minvisor/exits": { arguments: object; body: ExitCounts };
  readonly "minvisor/setNumberFormat": {
    arguments: { readonly format: NumberFormat };
    body: { readonly format: NumberFormat };
  };
  readonly "minvisor/setStepPolicy": {
    arguments: { readonly policy: StepPolicy };
    body: { readonly policy: StepPolicy };
  };
  readonly "minvisor/saveRecording": {
    arguments: {
      /** Relative to the launch's `cwd`. */
      readonly path: string;
    };
    body: {
      /** Where it is, absolute. */
      readonly path: string;
      readonly bytes: number;
    };
  };
  readonly "minvisor/status": { arguments: object; body: MachineStatus };
}

/** Custom events by name, with their bodies. */
export interface CustomEvents {
  readonly "minvisor/console": ConsoleText;
  readonly "minvisor/violation": ViolationBody;
  /** At a stop, and twice a second at most while the machine runs, if something has changed. */
  readonly "minvisor/invariants": { readonly invariants: readonly InvariantStatus[] };
}

/** A breakpoint on events of the machine, as "vmexit:NPF", "io:0x3f8:w" or "guest:exception:PF". */
export interface EventBreakpoint {
  readonly event: string;
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

/** An exit as the manual names it, without VMEXIT_; INVALID has the code -1. */
export interface ExitCode {
  readonly name: string;
  readonly code: number;
  readonly group: string;
  readonly doc: string;
}

/** Exit breakpoints: ids of exception filters and the exits that each stops at. */
export const EXIT_FILTERS = [
  ["exit", "Any #VMEXIT"],
  ["exit:NPF", "#VMEXIT NPF (nested page fault)"],
  ["exit:IOIO", "#VMEXIT IOIO (port)"],
  ["exit:MSR", "#VMEXIT MSR"],
  ["exit:CPUID", "#VMEXIT CPUID"],
  ["exit:VMMCALL", "#VMEXIT VMMCALL (hypercall)"],
  ["exit:INTR", "#VMEXIT INTR, VINTR, NMI (interrupts)"],
  ["exit:registers", "#VMEXIT CR and DR accesses"],
  ["exit:exceptions", "#VMEXIT EXCP_* (exceptions)"],
  ["exit:INVALID", "VMRUN refused (VMEXIT_INVALID)"],
  ["guest:exceptions", "Exception in the guest, any vector"],
  ["guest:PF", "#PF in the guest"],
  ["guest:GP", "#GP in the guest"],
  ["guest:UD", "#UD in the guest"],
  ["guest:DF", "#DF in the guest"],
  ["host:exceptions", "Exception in the host, any vector"],
  ["shutdown", "Shutdown or triple fault"],
  ["invariant", "Invariant violation"],
] as const;
export type FilterId = (typeof EXIT_FILTERS)[number][0];

export type * from "./protocol/addresses.ts";
export * from "./protocol/exits.ts";
export type * from "./protocol/futures.ts";
export * from "./protocol/invariants.ts";
export type * from "./protocol/recordings.ts";
export * from "./protocol/time.ts";
export type { DebugProtocol };
