/**
 * Invariants of a hypervisor, checked live on a machine: the only file of invariants/ that other
 * folders import, but that the extension has `shipped.ts` and the server's protocol in its own
 * bundle. What they say is checked on this run; it is no proof.
 */

import type { AddressRange } from "./address-range.ts";
import { check, type ResolvedFile } from "./language/check.ts";
import { parse } from "./language/parser.ts";
import { BUILT_INS } from "./model/index.ts";
import type { Program } from "./program.ts";

export type { AddressRange } from "./address-range.ts";
export { type AttachedInvariants, type AttachOptions, attachInvariants } from "./attach.ts";
export { type Blame, blame, type Line, type LineAt } from "./blame.ts";
export {
  type CheckedRun,
  checkRun,
  type RunChecks,
  type RunFinding,
  type RunToCheck,
  replayRun,
} from "./check-run.ts";
export { type Culprit, findCulprit, type RunAgain, runAgain } from "./culprit.ts";
export type {
  CheckedFile,
  CheckedInvariant,
  Diagnostic,
  ResolvedFile,
  Term,
} from "./language/index.ts";
export { lineColumn } from "./language/line-column.ts";
export { Program } from "./program.ts";
export { readExpression } from "./read-expression.ts";
export { SHIPPED_INVARIANTS } from "./shipped.ts";
export { type InvariantStatus, type Violation, violationText } from "./violation.ts";

/** The text of an .inv file and where it comes from. */
export interface InvariantText {
  readonly path: string;
  readonly text: string;
}

/** Parses and checks files together; never throws: what is wrong are their diagnostics. */
export function readInvariants(
  files: readonly InvariantText[],
  program: Program | undefined,
): ResolvedFile[] {
  const sources = files.map(({ path, text }) => ({ path, ...parse(text) }));
  return check(sources, BUILT_INS, program);
}

/** What files declare hv.memory to be; undefined where they do not. */
export function declaredIn(files: readonly ResolvedFile[]): readonly AddressRange[] | undefined {
  const ranges = files.flatMap(({ memory }) => memory);
  if (ranges.length === 0) return undefined;
  return ranges.map(({ first, end }) => ({ first: Number(first), bytes: Number(end - first) }));
}
