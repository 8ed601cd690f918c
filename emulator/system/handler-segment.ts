/** The code segment that a gate leads to, and the flags on arrival (APM volume 2, sections 8.7.1 and 8.9.1). */
import { flagMask, getRflags, setRflags } from "../state/flags.ts";
import type { Vcpu } from "../vcpu.ts";
import {
  Attribute,
  type Descriptor,
  dpl,
  isCode,
  isConforming,
  isNull,
  isPresent,
  readDescriptor,
  selectorCode,
} from "./descriptors.ts";
import { type DeliveredEvent, setsResumeFlag } from "./event.ts";
import { GuestFault } from "./exceptions.ts";
import { clearsInterrupts, type Gate, idtCode } from "./gates.ts";
import { isLongActive } from "./mode.ts";

const RF = flagMask("RF");
const IF = flagMask("IF");
const CLEARED = flagMask("TF") | flagMask("NT") | RF | flagMask("VM");

export interface HandlerSegment {
  readonly descriptor: Descriptor;
  /** CPL of the handler. */
  readonly cpl: number;
}

/** The checks of an IDT gate itself that come before its code segment is looked at. */
export function checkGate(cpu: Vcpu, gate: Gate, event: DeliveredEvent, external: number): void {
  if (event.checkGate && gate.dpl < cpu.state.cpl) {
    throw new GuestFault("GP", idtCode(event.vector, external));
  }
  if (!gate.present) throw new GuestFault("NP", idtCode(event.vector, external));
}

/** Reads and checks the gate's code segment. */
export function handlerSegment(cpu: Vcpu, selector: number, external: number): HandlerSegment {
  if (isNull(selector)) throw new GuestFault("GP", external);
  const code = selectorCode(selector, external);
  const descriptor = readDescriptor(cpu, selector, "GP", external);
  const { attributes } = descriptor;
  const { cpl } = cpu.state;
  if (!isCode(attributes) || dpl(attributes) > cpl) throw new GuestFault("GP", code);
  if (isLongActive(cpu.state)) {
    const width = attributes & (Attribute.long | Attribute.big);
    if (width !== Attribute.long) throw new GuestFault("GP", code);
  }
  if (!isPresent(attributes)) throw new GuestFault("NP", code);
  return { descriptor, cpl: isConforming(attributes) ? cpl : dpl(attributes) };
}

/** RFLAGS as the frame has them. */
export function pushedFlags(cpu: Vcpu, event: DeliveredEvent): bigint {
  const rflags = getRflags(cpu.state);
  return setsResumeFlag(event) ? rflags | RF : rflags;
}

/** RFLAGS as the handler finds them. */
export function enterHandlerFlags(cpu: Vcpu, gate: Gate): void {
  const cleared = clearsInterrupts(gate) ? CLEARED | IF : CLEARED;
  setRflags(cpu.state, getRflags(cpu.state) & ~cleared);
}
