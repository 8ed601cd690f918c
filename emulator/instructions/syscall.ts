/** SYSCALL, SYSRET, SYSENTER and SYSEXIT (APM volume 3, their pages; volume 2, section 6.1). */
import type { Execution } from "../execution.ts";
import type { Segment } from "../state/cpu-state.ts";
import { flagMask, getFlag, getRflags, setRflags } from "../state/flags.ts";
import { assignSegment } from "../system/descriptors.ts";
import { GuestFault } from "../system/exceptions.ts";
import { flagsChanged } from "../system/flags-changed.ts";
import { EFER, isLongActive, isProtected } from "../system/mode.ts";
import { complexRow, type Row } from "./row.ts";

const IF = flagMask("IF");
const RF = flagMask("RF");
const VM = flagMask("VM");

/** Flat segments of 4 GiB, present and accessed; the DPL is added. */
const FLAT = {
  code64: 0xa9b,
  code32: 0xc9b,
  data: 0xc93,
} as const;

function flat(kind: keyof typeof FLAT, selector: number, level: 0 | 3): Segment {
  return {
    selector: (selector & 0xfffc) | level,
    attributes: FLAT[kind] | (level << 5),
    limit: 0xffff_ffff,
    base: 0n,
  };
}

/** Bits of STAR: where SYSCALL and SYSRET take their selectors from. */
const syscallSelector = (star: bigint): number => Number((star >> 32n) & 0xfffcn);
const sysretSelector = (star: bigint): number => Number((star >> 48n) & 0xfffcn);

/** Goes on at `rip` in CS, at its privilege. Nothing faults after this. */
function enter(x: Execution, cs: Segment, rip: bigint): void {
  const { cpu } = x;
  assignSegment(cpu.state.cs, cs);
  cpu.state.cpl = cs.selector & 3;
  cpu.deriveMode();
  flagsChanged(cpu);
  x.setNextRip(rip);
}

/** TF is looked at after SYSCALL and SYSRET: a system whose SFMASK has TF is not trapped in its entry. */
function trapByNewFlags(x: Execution): void {
  x.cpu.state.trapDue = getFlag(x.cpu.state, "TF") ? 1 : 0;
}

function checkEnabled(x: Execution): void {
  if ((x.cpu.state.efer & EFER.SCE) === 0n) throw new GuestFault("UD");
}

function systemCall(x: Execution): void {
  checkEnabled(x);
  const { state } = x.cpu;
  const rflags = getRflags(state);
  const selector = syscallSelector(state.star);
  assignSegment(state.ss, flat("data", selector + 8, 0));
  if (!isLongActive(state)) {
    state.rcx = BigInt.asUintN(32, x.nextRip());
    setRflags(state, rflags & ~(IF | RF | VM));
    enter(x, flat("code32", selector, 0), state.star & 0xffff_ffffn);
    return;
  }
  const target = x.long ? state.lstar : state.cstar;
  state.rcx = x.nextRip();
  state.r11 = rflags & ~RF;
  setRflags(state, rflags & ~(state.sfmask | RF));
  trapByNewFlags(x);
  enter(x, flat("code64", selector, 0), target);
}

/**
 * SYSRET. SS gets a new selector only: its hidden part stays as it was, in this family. A target
 * that is not canonical faults at the fetch, at CPL 3.
 */
function systemReturn(x: Execution): void {
  checkEnabled(x);
  const { state } = x.cpu;
  if (!isProtected(state)) throw new GuestFault("GP", 0);
  const selector = sysretSelector(state.star);
  state.ss.selector = (selector + 8) | 3;
  if (x.long) setRflags(state, state.r11 & ~(RF | VM));
  else setRflags(state, getRflags(state) | IF);
  trapByNewFlags(x);
  if (x.operandSize === 8) enter(x, flat("code64", selector + 16, 3), state.rcx);
  else enter(x, flat("code32", selector, 3), BigInt.asUintN(32, state.rcx));
}

/** SYSENTER and SYSEXIT exist outside long mode only, in this family. */
function sysenterSelector(x: Execution): number {
  const { state } = x.cpu;
  if (isLongActive(state)) throw new GuestFault("UD");
  const selector = Number(state.sysenterCs & 0xfffcn);
  if (!isProtected(state) || selector === 0) throw new GuestFault("GP", 0);
  return selector;
}

function systemEnter(x: Execution): void {
  const selector = sysenterSelector(x);
  const { state } = x.cpu;
  setRflags(state, getRflags(state) & ~(IF | RF | VM));
  assignSegment(state.ss, flat("data", selector + 8, 0));
  state.rsp = BigInt.asUintN(32, state.sysenterEsp);
  enter(x, flat("code32", selector, 0), BigInt.asUintN(32, state.sysenterEip));
}

function systemExit(x: Execution): void {
  const selector = sysenterSelector(x);
  const { state } = x.cpu;
  assignSegment(state.ss, flat("data", selector + 24, 3));
  state.rsp = BigInt.asUintN(32, state.rcx);
  enter(x, flat("code32", selector + 16, 3), BigInt.asUintN(32, state.rdx));
}

export const SYSCALL_ROWS: readonly Row[] = [
  complexRow("SYSCALL", "0F 05", "", {}, systemCall),
  complexRow("SYSRET", "0F 07", "", { cpl0: true }, systemReturn),
  complexRow("SYSENTER", "0F 34", "", {}, systemEnter),
  complexRow("SYSEXIT", "0F 35", "", { cpl0: true }, systemExit),
];
