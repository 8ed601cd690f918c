/** Loading segment registers, LDTR and TR, with all checks (APM volume 2, sections 4.5 to 4.8 and 4.11). */
import type { SegmentRegister } from "../state/cpu-fields.ts";
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
  isWritableData,
  markDescriptor,
  readDescriptor,
  readSystemSegment,
  SystemType,
  selectorCode,
  systemType,
} from "./descriptors.ts";
import { type ExceptionName, GuestFault } from "./exceptions.ts";
import { hasRealSegments, is64Bit, isLongActive, isVirtual8086 } from "./mode.ts";

/** Present, DPL 3, writable, accessed: what virtual-8086 mode gives to every segment. */
const VIRTUAL_8086_ATTRIBUTES = 0xf3;

/** The value that a register has after loading this descriptor; the descriptor becomes accessed. */
export function segmentFromDescriptor(
  cpu: Vcpu,
  selector: number,
  descriptor: Descriptor,
): Segment {
  markDescriptor(cpu, descriptor, Attribute.accessed);
  return {
    selector,
    attributes: descriptor.attributes | Attribute.accessed,
    limit: descriptor.limit,
    base: descriptor.base,
  };
}

/**
 * A null selector: only attributes are cleared. This family keeps the hidden base and limit, which
 * software can see in FS and GS in 64-bit mode (CPUID 8000_0021 EAX[6], NullSelectorClearsBase, is 0).
 */
export function nullSegment(before: Readonly<Segment>, selector: number): Segment {
  return { selector, attributes: 0, limit: before.limit, base: before.base };
}

/** The null SS of long mode: its DPL still follows CPL. */
export function nullStackSegment(before: Readonly<Segment>, cpl: number): Segment {
  return { ...nullSegment(before, cpl), attributes: cpl << 5 };
}

/**
 * A load in real or virtual-8086 mode: the base is the selector times 16. Real mode keeps limit and
 * attributes as they are; virtual-8086 mode sets them (section unverified).
 */
export function loadRealSegment(cpu: Vcpu, register: SegmentRegister, selector: number): void {
  const segment = cpu.state[register];
  segment.selector = selector;
  segment.base = BigInt(selector << 4);
  if (isVirtual8086(cpu.state)) setVirtual8086Segment(segment, selector);
}

/** Everything of a segment register as virtual-8086 mode has it. */
export function setVirtual8086Segment(segment: Segment, selector: number): void {
  assignSegment(segment, {
    selector,
    attributes: VIRTUAL_8086_ATTRIBUTES,
    limit: 0xffff,
    base: BigInt(selector << 4),
  });
}

/**
 * Checks a stack segment for use at privilege `cpl` and gives its value. `fault` is #GP for loads
 * and returns, #TS when the selector came from a TSS; an absent segment is always #SS.
 */
export function checkStackSegment(
  cpu: Vcpu,
  selector: number,
  cpl: number,
  fault: ExceptionName,
  external = 0,
): Segment {
  if (isNull(selector)) throw new GuestFault(fault, external);
  const descriptor = readDescriptor(cpu, selector, fault, external);
  const { attributes } = descriptor;
  const code = selectorCode(selector, external);
  if ((selector & 3) !== cpl || !isWritableData(attributes) || dpl(attributes) !== cpl) {
    throw new GuestFault(fault, code);
  }
  if (!isPresent(attributes)) throw new GuestFault("SS", code);
  return segmentFromDescriptor(cpu, selector, descriptor);
}

function loadStackSegment(cpu: Vcpu, selector: number): Segment {
  const { state } = cpu;
  if (isNull(selector) && is64Bit(state) && state.cpl < 3 && (selector & 3) === state.cpl) {
    return nullStackSegment(state.ss, state.cpl);
  }
  return checkStackSegment(cpu, selector, state.cpl, "GP");
}

function loadDataSegment(cpu: Vcpu, before: Readonly<Segment>, selector: number): Segment {
  if (isNull(selector)) return nullSegment(before, selector);
  const descriptor = readDescriptor(cpu, selector);
  const { attributes } = descriptor;
  const code = selectorCode(selector, 0);
  const readable = (attributes & Attribute.readable) !== 0 || !isCode(attributes);
  if (systemType(attributes) >= 0 || !readable) throw new GuestFault("GP", code);
  const privilege = Math.max(selector & 3, cpu.state.cpl);
  if (!isConforming(attributes) && privilege > dpl(attributes)) throw new GuestFault("GP", code);
  if (!isPresent(attributes)) throw new GuestFault("NP", code);
  return segmentFromDescriptor(cpu, selector, descriptor);
}

/** Loads any segment register but CS, in any mode. */
export function loadSegment(
  cpu: Vcpu,
  register: Exclude<SegmentRegister, "cs">,
  selector: number,
): void {
  if (hasRealSegments(cpu.state)) {
    loadRealSegment(cpu, register, selector);
  } else {
    const segment = cpu.state[register];
    const value =
      register === "ss" ? loadStackSegment(cpu, selector) : loadDataSegment(cpu, segment, selector);
    assignSegment(segment, value);
  }
  cpu.deriveMode();
}

/** After a return to an outer level: segments that the new CPL may not use become null. */
export function dropInnerSegments(cpu: Vcpu): void {
  const { state } = cpu;
  for (const register of ["es", "ds", "fs", "gs"] as const) {
    const segment = state[register];
    if (isNull(segment.selector) || isConforming(segment.attributes)) continue;
    if (dpl(segment.attributes) < state.cpl) assignSegment(segment, nullSegment(segment, 0));
  }
}

/** LLDT: a null selector makes every use of the LDT fault. */
export function loadLdtr(cpu: Vcpu, selector: number): void {
  const { ldtr } = cpu.state;
  if (isNull(selector)) {
    assignSegment(ldtr, nullSegment(ldtr, selector));
    return;
  }
  const code = selectorCode(selector, 0);
  if ((selector & 4) !== 0) throw new GuestFault("GP", code);
  const descriptor = readSystemSegment(cpu, selector);
  if (systemType(descriptor.attributes) !== SystemType.ldt) throw new GuestFault("GP", code);
  if (!isPresent(descriptor.attributes)) throw new GuestFault("NP", code);
  const { attributes, limit, base } = descriptor;
  assignSegment(ldtr, { selector, attributes, limit, base });
}

/** LTR: the TSS must be available, and becomes busy. Long mode has only the 64-bit TSS. */
export function loadTaskRegister(cpu: Vcpu, selector: number): void {
  const code = selectorCode(selector, 0);
  if (isNull(selector) || (selector & 4) !== 0) throw new GuestFault("GP", code);
  const descriptor = readSystemSegment(cpu, selector);
  const type = systemType(descriptor.attributes);
  const legal = type === SystemType.tss || (type === SystemType.tss16 && !isLongActive(cpu.state));
  if (!legal) throw new GuestFault("GP", code);
  if (!isPresent(descriptor.attributes)) throw new GuestFault("NP", code);
  const busy = 2;
  markDescriptor(cpu, descriptor, busy);
  const { attributes, limit, base } = descriptor;
  assignSegment(cpu.state.tr, { selector, attributes: attributes | busy, limit, base });
}
