/** SVM's part in the delivery of events: exception intercepts, SHUTDOWN, task switches, EXITINTINFO. */

import type { CpuState } from "../state/cpu-state.ts";
import { getFlag } from "../state/flags.ts";
import type { DeliveredEvent } from "../system/event.ts";
import { EXCEPTIONS, InterceptExit } from "../system/exceptions.ts";
import type { DeliveryHooks } from "../system/hooks.ts";
import { type EventTypeName, encodeEvent } from "./event-format.ts";
import { EXCEPTION_EXIT } from "./exits.ts";
import { INTERCEPTS, isIntercepted } from "./intercepts.ts";

/**
 * Exits if the running guest intercepts this exception (section 15.12): EXITINFO1 is the error code,
 * EXITINFO2 of #PF the address that CR2 would have. The bit of vector 2 has no effect: NMI has its
 * own intercept. An intercepted #DF does not count as raised during a delivery (section 15.7.2).
 */
export function interceptException(
  state: CpuState,
  vector: number,
  errorCode: number | undefined,
  address: bigint,
): void {
  if (state.guestMode === 0 || vector === EXCEPTIONS.NMI.vector) return;
  if (((state.interceptExceptions >>> vector) & 1) === 0) return;
  if (vector === EXCEPTIONS.DF.vector) state.deliveredEvent = 0n;
  const info2 = vector === EXCEPTIONS.PF.vector ? BigInt.asUintN(64, address) : 0n;
  throw new InterceptExit(EXCEPTION_EXIT + vector, BigInt((errorCode ?? 0) >>> 0), info2);
}

/** Exits instead of a shutdown if the running guest intercepts it (section 15.14.3). */
function interceptShutdown(state: CpuState): void {
  if (isIntercepted(state, "SHUTDOWN")) throw new InterceptExit(INTERCEPTS.SHUTDOWN.exitCode);
}

/** Exits instead of a task switch (section 15.14.1). */
export function interceptTaskSwitch(
  state: CpuState,
  selector: number,
  source: "IRET" | "JMP" | "CALL" | "event",
  errorCode?: number,
): void {
  if (!isIntercepted(state, "TASK_SWITCH")) return;
  let info2 = BigInt((errorCode ?? 0) >>> 0);
  if (source === "IRET") info2 |= 1n << 36n;
  if (source === "JMP") info2 |= 1n << 38n;
  if (errorCode !== undefined) info2 |= 1n << 44n;
  if (getFlag(state, "RF")) info2 |= 1n << 48n;
  throw new InterceptExit(INTERCEPTS.TASK_SWITCH.exitCode, BigInt(selector), info2);
}

const TYPES: Record<DeliveredEvent["type"], EventTypeName> = {
  INTR: "interrupt",
  NMI: "nmi",
  exception: "exception",
  software: "softwareInterrupt",
};

/** What a vCPU's delivery of exceptions and interrupts calls. */
export function svmHooks(state: CpuState): DeliveryHooks {
  return {
    interceptException: (vector, errorCode, address) =>
      interceptException(state, vector, errorCode, address),
    interceptShutdown: () => interceptShutdown(state),
    noteDelivery: (event) => {
      state.deliveredEvent =
        event === undefined ? 0n : encodeEvent({ ...event, type: TYPES[event.type] });
    },
  };
}
