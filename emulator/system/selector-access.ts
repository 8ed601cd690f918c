/** What LAR, LSL, VERR and VERW may find out about a selector (APM volume 3, their pages). */
import type { Vcpu } from "../vcpu.ts";
import {
  Attribute,
  type Descriptor,
  dpl,
  isCode,
  isConforming,
  isNull,
  isWritableData,
  readDescriptor,
  readSystemSegment,
  SystemType,
  systemType,
} from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { isLongActive } from "./mode.ts";

export type SelectorQuery = "LAR" | "LSL" | "VERR" | "VERW";

const { tss, tssBusy, tss16, tss16Busy, ldt, callGate, callGate16, taskGate } = SystemType;
const LEGACY_SEGMENTS: readonly number[] = [tss, tssBusy, tss16, tss16Busy, ldt];
const LONG_SEGMENTS: readonly number[] = [tss, tssBusy, ldt];

function systemTypes(query: SelectorQuery, long: boolean): readonly number[] {
  const segments = long ? LONG_SEGMENTS : LEGACY_SEGMENTS;
  if (query === "LSL") return segments;
  if (query !== "LAR") return [];
  return long ? [...segments, callGate] : [...segments, callGate, callGate16, taskGate];
}

function typeAllows(query: SelectorQuery, attributes: number, long: boolean): boolean {
  const system = systemType(attributes);
  if (system >= 0) return systemTypes(query, long).includes(system);
  if (query === "VERW") return isWritableData(attributes);
  if (query === "VERR") return !isCode(attributes) || (attributes & Attribute.readable) !== 0;
  return true;
}

/** Reads the descriptor, or undefined outside the tables; page faults are faults. */
function lookUp(cpu: Vcpu, selector: number): Descriptor | undefined {
  try {
    const descriptor = readDescriptor(cpu, selector);
    const long = isLongActive(cpu.state) && systemType(descriptor.attributes) >= 0;
    return long ? readSystemSegment(cpu, selector) : descriptor;
  } catch (fault) {
    if (fault instanceof GuestFault && fault.exception === "GP") return undefined;
    throw fault;
  }
}

/** The descriptor, if the query is allowed to see it at the present CPL. */
export function selectorAccess(
  cpu: Vcpu,
  selector: number,
  query: SelectorQuery,
): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const found = lookUp(cpu, selector);
  if (found === undefined) return undefined;
  const { attributes } = found;
  if (!typeAllows(query, attributes, isLongActive(cpu.state))) return undefined;
  const privilege = Math.max(cpu.state.cpl, selector & 3);
  return isConforming(attributes) || dpl(attributes) >= privilege ? found : undefined;
}
