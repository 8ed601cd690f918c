/** Turns a culprit into what is shown: the line that wrote, or why there is none. */
import type { Culprit } from "./culprit.ts";
import type { Violation } from "./violation.ts";

export interface Line {
  readonly path: string;
  readonly line: number;
}

export interface Blame {
  /** The line that last wrote what made it false; undefined where nothing wrote it, or no line is known. */
  readonly culprit: Line | undefined;
  /** The VMRUN at which it was found. */
  readonly vmrun: Line | undefined;
  /** Where it last held, if it did. */
  readonly lastGood: Line | undefined;
  /** Why there is no culprit: a sentence without its full stop. */
  readonly remark: string | undefined;
}

/** Source lines by address. */
export type LineAt = (
  world: "host" | "guest",
  rip: bigint,
) => { readonly path: string; readonly line: number } | undefined;

/** Before the culprit was looked for, none is named. */
export function blame(violation: Violation, culprit: Culprit | undefined, lineAt: LineAt): Blame {
  const at = (rip: bigint | undefined, world: "host" | "guest" = "host"): Line | undefined => {
    const found = rip === undefined ? undefined : lineAt(world, rip);
    return found && { path: found.path, line: found.line };
  };
  return {
    culprit: culprit?.kind === "write" ? at(culprit.rip, culprit.world) : undefined,
    vmrun: at(violation.vmrunRip),
    lastGood: at(violation.lastGood?.rip),
    remark: culprit && remarkOf(culprit),
  };
}

function remarkOf(culprit: Culprit): string | undefined {
  if (culprit.kind === "neverSet") return "Never set: nothing has written it since reset";
  return culprit.kind === "diverged" ? `Its writer was not found: ${culprit.reason}` : undefined;
}
