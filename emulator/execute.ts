/** The architectural order of checks before an instruction's semantics, written once for all rows. */

import type { Execution } from "./execution.ts";
import type { Row } from "./instructions/row.ts";
import { interceptExecution } from "./svm/instruction-intercept.ts";
import { GuestFault } from "./system/exceptions.ts";
import { CR0, CR4, hasRealSegments } from "./system/mode.ts";

const FSW_ERROR_SUMMARY = 0x80;

/** #UD and #NM that depend on control registers (APM volume 2, sections 3.1.1, 3.1.3 and 11.3). */
function checkUnit(x: Execution, unit: NonNullable<Row["unit"]>): void {
  const { cr0, cr4, fsw } = x.cpu.state;
  const emulate = (cr0 & CR0.EM) !== 0n;
  const switched = (cr0 & CR0.TS) !== 0n;
  if (unit === "sse") {
    if (emulate || (cr4 & CR4.OSFXSR) === 0n) throw new GuestFault("UD");
    if (switched) throw new GuestFault("NM");
    return;
  }
  if (unit === "mmx" && emulate) throw new GuestFault("UD");
  if (emulate || switched) throw new GuestFault("NM");
  if (unit !== "x87-no-wait" && (fsw & FSW_ERROR_SUMMARY) !== 0) throw new GuestFault("MF");
}

/**
 * Throws GuestFault or InterceptExit if the instruction must not run.
 *
 * Order: mode (#UD), unit (#UD, #NM, #MF), intercepts that come first, EFER.SVME (#UD), privilege
 * (#GP), exceptions of state alone, the other intercepts (APM volume 2, section 15.7: after exceptions that need no memory operand). An
 * afterMemory intercept is raised by the row itself, behind its memory checks. LOCK, mode and CPUID
 * features are settled at decode.
 */
export function performChecks(x: Execution, row: Row): void {
  const { state } = x.cpu;
  if (row.protectedOnly && hasRealSegments(state)) throw new GuestFault("UD");
  if (row.unit !== undefined) checkUnit(x, row.unit);
  const order = row.interceptOrder ?? "afterExceptions";
  if (row.intercept !== undefined && order === "interceptFirst") {
    interceptExecution(x, row.intercept);
  }
  row.exceptions?.(state);
  if (row.cpl0 && state.cpl !== 0) throw new GuestFault("GP", 0);
  if (state.cpl !== 0) row.userExceptions?.(state);
  if (row.intercept !== undefined && order === "afterExceptions") {
    interceptExecution(x, row.intercept);
  }
}
