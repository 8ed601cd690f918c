/** One breakpoint of any kind: where it stops, and what it says of itself. */
import type { BreakpointOptions } from "./breakpoint-options.ts";
import type { World } from "./register-file.ts";

/** A linear address in one world. */
export interface Place {
  readonly linear: bigint;
  readonly world: World;
}

export interface Breakpoint {
  readonly id: number;
  readonly kind: "source" | "function" | "instruction" | "exit";
  readonly places: readonly Place[];
  /** Exits that it stops at, by name; all where it is "any". */
  readonly exits?: ((reason: string) => boolean) | undefined;
  /** Missing where a condition does not parse: it then never stops. */
  readonly options: BreakpointOptions | undefined;
  readonly title: string;
  readonly isVerified: boolean;
  readonly message?: string | undefined;
  readonly path?: string | undefined;
  readonly line?: number | undefined;
  readonly instructionReference?: string | undefined;
  /** The exception filter that it stands for. */
  readonly filter?: string | undefined;
}
