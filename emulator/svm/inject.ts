/** Delivering an event to the running guest or host, where the delivery itself may end in a #VMEXIT. */

import { type DeliveryOptions, deliverException } from "../system/delivery.ts";
import { EXCEPTIONS, InterceptExit } from "../system/exceptions.ts";
import type { Vcpu } from "../vcpu.ts";
import { decodeEvent, type SvmEvent } from "./event-format.ts";
import type { VmcbView } from "./vmcb-view.ts";
import { performExit } from "./vmexit.ts";

/** Delivers between instructions: an exit on the way is carried out at once. */
export function deliverOrExit(cpu: Vcpu, vector: number, options: DeliveryOptions): void {
  try {
    deliverException(cpu, vector, options);
  } catch (caught) {
    if (!(caught instanceof InterceptExit)) throw caught;
    performExit(cpu, caught);
  }
}

const DELIVERY_TYPES = {
  interrupt: "INTR",
  nmi: "NMI",
  exception: "exception",
  softwareInterrupt: "software",
} as const;

/**
 * Carries out EVENTINJ (section 15.20). The event itself meets no intercept; faults that its
 * delivery raises do. Software interrupts, and #BP and #OF, which behave as INT3 and INTO do, return
 * to nRIP; all others return to RIP.
 */
export function injectEvent(cpu: Vcpu, vmcb: VmcbView): void {
  const event = decodeEvent(vmcb.read("EVENTINJ"));
  if (event === undefined) return;
  const software = isSoftware(event);
  const skip = BigInt.asIntN(64, vmcb.read("nRIP") - cpu.state.rip);
  deliverOrExit(cpu, event.vector, {
    type: DELIVERY_TYPES[event.type],
    ...(event.type === "exception" && { errorCodeAsGiven: true, ...codeOf(event) }),
    address: cpu.state.cr2,
    insnLength: software ? Number(skip) : 0,
    checkGate: software,
  });
}

const codeOf = ({ errorCode }: SvmEvent): { errorCode?: number } =>
  errorCode === undefined ? {} : { errorCode };

function isSoftware(event: SvmEvent): boolean {
  if (event.type === "softwareInterrupt") return true;
  if (event.type !== "exception") return false;
  return event.vector === EXCEPTIONS.BP.vector || event.vector === EXCEPTIONS.OF.vector;
}
