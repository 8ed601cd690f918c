/** IRET, IRETD and IRETQ in every mode (APM volume 3, IRET; volume 2, sections 8.6 to 8.9). */
import type { Execution } from "../execution.ts";
import { flagMask, getIopl, getRflags, IOPL_SHIFT, setRflags } from "../state/flags.ts";
import { checkReturnTarget, checkTarget, codeSegment, enterCode } from "./code-transfer.ts";
import { assignSegment } from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { popOuterStack } from "./far-return.ts";
import { flagsChanged } from "./flags-changed.ts";
import { is64Bit, isLongActive, isProtected, isVirtual8086 } from "./mode.ts";
import { dropInnerSegments, loadRealSegment, setVirtual8086Segment } from "./segments.ts";
import { currentStack, StackCursor } from "./stack.ts";
import { interceptTaskSwitch, stopAtTaskSwitch } from "./task-switch.ts";

const IOPL = 3n << BigInt(IOPL_SHIFT);
const IF = flagMask("IF");
const VM = flagMask("VM");
const NT = flagMask("NT");
const VIRTUAL = flagMask("VIF") | flagMask("VIP");
/** Changed by any IRET: status, TF, DF, NT, RF, AC, ID. */
const ALWAYS = 0xcd5n | flagMask("TF") | NT | flagMask("RF") | flagMask("AC") | flagMask("ID");

/** The flags in `mask` (of the low 16 bits, for a 16-bit frame) come from the frame. */
function restoreFlags(x: Execution, popped: bigint, mask: bigint): void {
  const { state } = x.cpu;
  const changed = x.operandSize === 2 ? mask & 0xffffn : mask;
  setRflags(state, (getRflags(state) & ~changed) | (popped & changed));
}

/** What the privilege before the return allows to change. */
function flagsFor(cpl: number, iopl: number): bigint {
  let mask = ALWAYS;
  if (cpl === 0) mask |= IOPL | VIRTUAL;
  if (cpl <= iopl) mask |= IF;
  return mask;
}

/** IRET in any mode. NMIs are let in again once nothing can fault. */
export function interruptReturn(x: Execution): void {
  const { state } = x.cpu;
  if (!isProtected(state)) returnReal(x, ALWAYS | IF | IOPL);
  else if (isVirtual8086(state)) returnVirtual8086(x);
  else if ((state.flagsOther & NT) === 0n) returnProtected(x);
  else if (isLongActive(state)) throw new GuestFault("GP", 0);
  else returnToTask(x);
}

/** The selector of the task to return to is the first word of the TSS. */
function returnToTask(x: Execution): void {
  const back = x.cpu.mmu.read(BigInt.asUintN(32, x.cpu.state.tr.base), 2, "system");
  const task = { selector: Number(back), cause: "IRET" } as const;
  interceptTaskSwitch(x.cpu, task);
  stopAtTaskSwitch(x.cpu, task);
}

function finish(x: Execution, rip: bigint): void {
  x.cpu.state.nmiBlocked = 0;
  x.cpu.deriveMode();
  x.setNextRip(rip);
  x.cpu.state.resumeFlagLoaded = 1;
  flagsChanged(x.cpu);
}

function returnVirtual8086(x: Execution): void {
  if (getIopl(x.cpu.state) < 3) throw new GuestFault("GP", 0);
  returnReal(x, ALWAYS | IF);
}

function returnReal(x: Execution, mask: bigint): void {
  const { cpu, operandSize: size } = x;
  const stack = new StackCursor(cpu, currentStack(cpu.state));
  const offset = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const flags = stack.pop(size);
  if (offset > BigInt(cpu.state.cs.limit)) throw new GuestFault("GP", 0);
  cpu.state.rsp = stack.rsp;
  loadRealSegment(cpu, "cs", selector);
  restoreFlags(x, flags, mask);
  finish(x, offset);
}

function returnProtected(x: Execution): void {
  const { cpu, operandSize: size } = x;
  const { state } = cpu;
  const stack = new StackCursor(cpu, currentStack(state));
  const offset = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const flags = stack.pop(size);
  if ((flags & VM) !== 0n && size === 4 && state.cpl === 0 && !isLongActive(state)) {
    enterVirtual8086(x, stack, selector, offset, flags);
    return;
  }
  const target = checkReturnTarget(cpu, selector);
  const rip = checkTarget(cpu, target, offset);
  const before = state.cpl;
  const cpl = selector & 3;
  const outer =
    cpl !== before || is64Bit(state) ? popOuterStack(cpu, stack, size, target, cpl) : undefined;
  const cs = codeSegment(cpu, selector, target, cpl);

  restoreFlags(x, flags, flagsFor(before, getIopl(state)));
  enterCode(cpu, cs);
  if (outer !== undefined) assignSegment(state.ss, outer.ss);
  state.rsp = outer === undefined ? stack.rsp : outer.rsp;
  if (cpl !== before) dropInnerSegments(cpu);
  finish(x, rip);
}

/** The frame of a task in virtual-8086 mode: nine doublewords. */
function enterVirtual8086(
  x: Execution,
  stack: StackCursor,
  selector: number,
  offset: bigint,
  flags: bigint,
): void {
  const { state } = x.cpu;
  const rsp = stack.pop(4);
  const selectors = ["ss", "es", "ds", "fs", "gs"].map(() => Number(stack.pop(4) & 0xffffn));
  const rip = BigInt.asUintN(16, offset);
  setRflags(state, flags);
  setVirtual8086Segment(state.cs, selector);
  for (const [i, name] of (["ss", "es", "ds", "fs", "gs"] as const).entries()) {
    setVirtual8086Segment(state[name], selectors[i] ?? 0);
  }
  state.cpl = 3;
  state.rsp = rsp;
  finish(x, rip);
}
