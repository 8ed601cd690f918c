/** Far JMP and CALL, through call gates too (APM volume 3, their pages; volume 2, section 4.11). */
import type { Execution } from "../execution.ts";
import { checkDirectTarget, checkTarget, codeSegment, enterCode } from "./code-transfer.ts";
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
  readUpperHalf,
  SystemType,
  selectorCode,
  systemType,
} from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { decodeGate, type Gate } from "./gates.ts";
import { hasRealSegments, is64Bit, isLongActive } from "./mode.ts";
import { checkStackSegment, loadRealSegment, nullStackSegment } from "./segments.ts";
import { currentStack, StackCursor } from "./stack.ts";
import { interceptTaskSwitch, stopAtTaskSwitch } from "./task-switch.ts";
import { legacyInnerStack, longInnerStack } from "./tss.ts";

export type FarKind = "JMP" | "CALL";

/** A far pointer: this family has offsets of 16 and 32 bits only, whatever REX.W says. */
export interface FarPointer {
  readonly selector: number;
  readonly offset: bigint;
  readonly size: 2 | 4;
}

/** Carries out a far JMP or CALL in any mode. */
export function transferFar(x: Execution, kind: FarKind, to: FarPointer): void {
  if (hasRealSegments(x.cpu.state)) {
    transferReal(x, kind, to);
    return;
  }
  if (isNull(to.selector)) throw new GuestFault("GP", 0);
  const target = readDescriptor(x.cpu, to.selector);
  if (isCode(target.attributes)) {
    transferDirect(x, kind, to, target);
    return;
  }
  if (systemType(target.attributes) < 0) throw new GuestFault("GP", selectorCode(to.selector, 0));
  transferSystem(x, kind, to.selector, target);
}

/** Pushes CS:rIP of the next instruction; gives RSP after that. */
function pushReturn(x: Execution, stack: StackCursor, size: number): void {
  stack.push(BigInt(x.cpu.state.cs.selector), size);
  stack.push(x.nextRip(), size);
}

function transferReal(x: Execution, kind: FarKind, to: FarPointer): void {
  const { state } = x.cpu;
  if (to.offset > BigInt(state.cs.limit)) throw new GuestFault("GP", 0);
  if (kind === "CALL") {
    const stack = new StackCursor(x.cpu, currentStack(state));
    pushReturn(x, stack, to.size);
    state.rsp = stack.rsp;
  }
  loadRealSegment(x.cpu, "cs", to.selector);
  x.cpu.deriveMode();
  x.setNextRip(to.offset);
}

function transferDirect(x: Execution, kind: FarKind, to: FarPointer, target: Descriptor): void {
  const { cpu } = x;
  const { state } = cpu;
  checkDirectTarget(cpu, to.selector, target);
  const rip = checkTarget(cpu, target, to.offset);
  const stack = new StackCursor(cpu, currentStack(state));
  if (kind === "CALL") pushReturn(x, stack, to.size);
  const cs = codeSegment(cpu, to.selector, target, state.cpl);
  if (kind === "CALL") state.rsp = stack.rsp;
  enterCode(cpu, cs);
  cpu.deriveMode();
  x.setNextRip(rip);
}

/** Call gates, and TSS and task gates (which are task switches). */
function transferSystem(x: Execution, kind: FarKind, selector: number, target: Descriptor): void {
  const long = isLongActive(x.cpu.state);
  const type = systemType(target.attributes);
  const code = selectorCode(selector, 0);
  if (type === SystemType.callGate || (type === SystemType.callGate16 && !long)) {
    const upper = long ? readUpperHalf(x.cpu, selector) : 0n;
    const gate = decodeGate(target, upper);
    checkGateAccess(x, selector, gate);
    enterGate(x, kind, gate);
    return;
  }
  const isTask =
    type === SystemType.tss || type === SystemType.tss16 || type === SystemType.taskGate;
  const level = dpl(target.attributes);
  if (long || !isTask || level < x.cpu.state.cpl || level < (selector & 3)) {
    throw new GuestFault("GP", code);
  }
  if (!isPresent(target.attributes)) throw new GuestFault("NP", code);
  const gate = type === SystemType.taskGate;
  const task = { selector: gate ? decodeGate(target).selector : selector, cause: kind };
  interceptTaskSwitch(x.cpu, task);
  stopAtTaskSwitch(x.cpu, task);
}

function checkGateAccess(x: Execution, selector: number, gate: Gate): void {
  const code = selectorCode(selector, 0);
  if (gate.dpl < x.cpu.state.cpl || gate.dpl < (selector & 3)) throw new GuestFault("GP", code);
  if (!gate.present) throw new GuestFault("NP", code);
}

/** The code segment behind a call gate, and the privilege level there. */
function gateTarget(x: Execution, kind: FarKind, gate: Gate): { target: Descriptor; cpl: number } {
  const { cpu } = x;
  const { cpl } = cpu.state;
  if (isNull(gate.selector)) throw new GuestFault("GP", 0);
  const code = selectorCode(gate.selector, 0);
  const target = readDescriptor(cpu, gate.selector);
  const { attributes } = target;
  const level = dpl(attributes);
  const sameLevel = isConforming(attributes) || kind === "JMP";
  const allowed = kind === "JMP" && !isConforming(attributes) ? level === cpl : level <= cpl;
  if (!isCode(attributes) || !allowed) throw new GuestFault("GP", code);
  if (isLongActive(cpu.state)) {
    const width = attributes & (Attribute.long | Attribute.big);
    if (width !== Attribute.long) throw new GuestFault("GP", code);
  }
  if (!isPresent(attributes)) throw new GuestFault("NP", code);
  return { target, cpl: sameLevel ? cpl : level };
}

function enterGate(x: Execution, kind: FarKind, gate: Gate): void {
  const { cpu } = x;
  const { state } = cpu;
  const { target, cpl } = gateTarget(x, kind, gate);
  const rip = checkTarget(cpu, target, gate.offset);
  const size = isLongActive(state) ? 8 : gate.type === SystemType.callGate ? 4 : 2;
  if (kind === "CALL" && cpl < state.cpl) {
    callInner(x, gate, target, cpl, size);
  } else {
    const flat = isLongActive(state);
    const stack = new StackCursor(cpu, { ...currentStack(state), flat });
    if (kind === "CALL") pushReturn(x, stack, size);
    const cs = codeSegment(cpu, gate.selector, target, state.cpl);
    if (kind === "CALL") state.rsp = stack.rsp;
    enterCode(cpu, cs);
  }
  cpu.deriveMode();
  x.setNextRip(rip);
}

/** A call to an inner level: the TSS's stack gets the old one, the parameters and the return. */
function callInner(
  x: Execution,
  gate: Gate,
  target: Descriptor,
  cpl: number,
  size: 2 | 4 | 8,
): void {
  const { cpu } = x;
  const { state } = cpu;
  const long = isLongActive(state);
  let ss = nullStackSegment(state.ss, cpl);
  let rsp: bigint;
  if (long) {
    rsp = longInnerStack(cpu, cpl, 0, 0);
  } else {
    const inner = legacyInnerStack(cpu, cpl, 0);
    ss = checkStackSegment(cpu, inner.selector, cpl, "TS");
    rsp = inner.esp;
  }
  const faultCode = long ? 0 : selectorCode(ss.selector, 0);
  const stack = new StackCursor(cpu, { ss, rsp, flat: long, cpl, faultCode });
  stack.push(BigInt(state.ss.selector), size);
  stack.push(is64Bit(state) ? state.rsp : BigInt.asUintN(32, state.rsp), size);
  if (!long) copyParameters(x, stack, gate.parameters, size);
  pushReturn(x, stack, size);
  const cs = codeSegment(cpu, gate.selector, target, cpl);
  assignSegment(state.ss, ss);
  state.rsp = stack.rsp;
  enterCode(cpu, cs);
}

function copyParameters(x: Execution, to: StackCursor, count: number, size: number): void {
  const from = new StackCursor(x.cpu, currentStack(x.cpu.state));
  const values: bigint[] = [];
  for (let i = 0; i < count; i++) values.push(from.pop(size));
  for (const value of values.reverse()) to.push(value, size);
}
