/** Invariants, their verdicts, violations and policies, and the custom requests about them (part of protocol.ts). */
import type { SourceLine } from "../protocol.ts";

/** What a violation does: stop the session, or write one line to the console; or no check at all. */
export const INVARIANT_POLICIES = ["stop", "log", "off"] as const;
export type InvariantPolicy = (typeof INVARIANT_POLICIES)[number];
export interface InvariantPolicies {
  readonly [nameOrStar: string]: InvariantPolicy;
}

/** A frame, or what led from one world to another. */
export interface ViolationFrame {
  readonly name: string;
  readonly path?: string;
  readonly line?: number;
}

/** An invariant turned false. */
export interface ViolationBody {
  readonly invariant: string;
  readonly message: string;
  readonly expected: string;
  readonly actual: string;
  /** Instructions retired when it was found. */
  readonly icount: number;
  /** The line that last wrote what made it false; missing where nothing wrote it. */
  readonly culprit: (SourceLine & { readonly stack?: readonly ViolationFrame[] }) | undefined;
  /** The VMRUN at which it was found. */
  readonly vmrun: SourceLine | undefined;
  /** Where the invariant is written; missing for those that the debugger ships. */
  readonly invariantAt: SourceLine | undefined;
  /** Number of the last exit before it. */
  readonly exit: number;
  /** The last check before that found it to hold; missing where there was none. */
  readonly lastGoodCheck?: {
    readonly icount: number;
    readonly exit: number;
    /** The VMRUN, or the function for its call and return. */
    readonly at: SourceLine | undefined;
  };
}

export type Verdict = "holds" | "violated" | "unknown" | "never checked";

export interface InvariantStatus {
  readonly name: string;
  readonly verdict: Verdict;
  readonly checks: number;
  readonly doc: string;
  /** Where it comes from, e.g. a section of the manual. */
  readonly source?: string;
  /** Number of the last exit before the last check. */
  readonly lastExit?: number;
  /** Why it is unknown, or what makes it false. */
  readonly reason?: string;
  /** Where it is written; missing for those that the debugger ships. */
  readonly at: SourceLine | undefined;
  readonly policy: InvariantPolicy;
  /** The last time in this run that it was seen to turn false; its culprit, once that was looked for. */
  readonly violation?: ViolationBody;
}

export interface CheckRunArguments {
  /** For the session's files of their paths. */
  readonly files?: readonly { readonly path: string; readonly text: string }[];
  /** End at the first violation of any. */
  readonly stopAtFirst?: boolean;
}

export interface CheckRunBody {
  readonly problems: readonly InvariantProblem[];
  /** At the end of the run, but "violated" where it was at any time; `violation` is the first one. */
  readonly invariants: readonly InvariantStatus[];
}

/** Something wrong in an .inv file. */
export interface InvariantProblem {
  readonly path: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly severity: "error" | "warning";
  readonly message: string;
}

export interface InvariantRequests {
  readonly "minvisor/setInvariants": {
    arguments: {
      readonly files: readonly { readonly path: string; readonly text: string }[];
      /** Set before what is new is judged; one of an invariant that is not there is left out. */
      readonly policies?: InvariantPolicies;
    };
    body: {
      readonly problems: readonly InvariantProblem[];
      readonly invariants: readonly InvariantStatus[];
    };
  };
  readonly "minvisor/invariantExpression": {
    arguments: { readonly expression: string };
    /** One of the two. */
    body: { readonly value?: string; readonly unknown?: string };
  };
  readonly "minvisor/checkRun": { arguments: CheckRunArguments; body: CheckRunBody };
  readonly "minvisor/setInvariantPolicy": {
    /** With "*" all policies are set anew, without it those named. */
    arguments: { readonly policies: InvariantPolicies };
    body: { readonly invariants: readonly InvariantStatus[] };
  };
  readonly "minvisor/invariants": {
    arguments: object;
    body: { readonly invariants: readonly InvariantStatus[] };
  };
}
