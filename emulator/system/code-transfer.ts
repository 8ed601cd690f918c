/** Checks of code segments as targets of far jumps, calls and returns (APM volume 2, section 4.12, unverified). */
import type { Segment } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import {
  Attribute,
  assignSegment,
  type Descriptor,
  dpl,
  isCode,
  isConforming,
  isNull,
  isPresent,
  readDescriptor,
  selectorCode,
} from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { isCanonical, isLongActive } from "./mode.ts";
import { segmentFromDescriptor } from "./segments.ts";

/** The descriptor is a 64-bit code segment in long mode. */
export function isLongCode(cpu: Vcpu, attributes: number): boolean {
  return isLongActive(cpu.state) && (attributes & Attribute.long) !== 0;
}

/** Long mode has no segment with both L and D. */
function checkCodeWidth(cpu: Vcpu, selector: number, attributes: number): void {
  const both = Attribute.long | Attribute.big;
  if (isLongActive(cpu.state) && (attributes & both) === both) {
    throw new GuestFault("GP", selectorCode(selector, 0));
  }
}

/** The target address as the segment has it: canonical in 64-bit code, else within the limit. */
export function checkTarget(cpu: Vcpu, target: Descriptor, offset: bigint): bigint {
  if (isLongCode(cpu, target.attributes)) {
    if (!isCanonical(offset)) throw new GuestFault("GP", 0);
    return offset;
  }
  const legacy = BigInt.asUintN(32, offset);
  if (legacy > BigInt(target.limit)) throw new GuestFault("GP", 0);
  return legacy;
}

/** The code segment of a far JMP or CALL without a gate: CPL stays. */
export function checkDirectTarget(cpu: Vcpu, selector: number, target: Descriptor): void {
  const { cpl } = cpu.state;
  const { attributes } = target;
  const code = selectorCode(selector, 0);
  const level = dpl(attributes);
  const allowed = isConforming(attributes) ? level <= cpl : (selector & 3) <= cpl && level === cpl;
  if (!allowed) throw new GuestFault("GP", code);
  if (!isPresent(attributes)) throw new GuestFault("NP", code);
  checkCodeWidth(cpu, selector, attributes);
}

/** The code segment that a RET or IRET goes back to; its RPL becomes CPL. */
export function checkReturnTarget(cpu: Vcpu, selector: number): Descriptor {
  if (isNull(selector)) throw new GuestFault("GP", 0);
  const code = selectorCode(selector, 0);
  const rpl = selector & 3;
  const target = readDescriptor(cpu, selector);
  const { attributes } = target;
  if (!isCode(attributes) || rpl < cpu.state.cpl) throw new GuestFault("GP", code);
  const level = dpl(attributes);
  if (isConforming(attributes) ? level > rpl : level !== rpl) throw new GuestFault("GP", code);
  if (!isPresent(attributes)) throw new GuestFault("NP", code);
  checkCodeWidth(cpu, selector, attributes);
  return target;
}

/** The value of CS for this descriptor at privilege `cpl`. The descriptor becomes accessed. */
export function codeSegment(cpu: Vcpu, selector: number, target: Descriptor, cpl: number): Segment {
  return segmentFromDescriptor(cpu, (selector & 0xfffc) | cpl, target);
}

/** Loads CS and CPL. Nothing faults after this. */
export function enterCode(cpu: Vcpu, cs: Readonly<Segment>): void {
  assignSegment(cpu.state.cs, cs);
  cpu.state.cpl = cs.selector & 3;
}
