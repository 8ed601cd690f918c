/** What scopes are made from, and what a scope is. */
import type { Debuggee } from "../debuggee.ts";
import type { InvariantStatus } from "../protocol.ts";
import type { Disassembler } from "../services.ts";
import type { Frame } from "../stack.ts";
import type { Children } from "../variables.ts";

/** A stopped machine as one frame of its stack sees it. */
export interface ScopeView {
  readonly debuggee: Debuggee;
  readonly frame: Frame;
  readonly disassembler: Disassembler;
  invariants(): readonly InvariantStatus[];
}

/** One row of the table of scopes. */
export interface Scope {
  readonly name: string;
  readonly hint?: "locals" | "registers" | "arguments" | "returnValue";
  /** Clients do not open it by themselves. */
  readonly expensive?: boolean;
  /** Undefined where the frame or the machine has no such thing. */
  children(view: ScopeView): Children | undefined;
}
