/** Segment registers: MOV, PUSH, POP, LDS, LES, LSS, LFS and LGS. */
import type { Execution } from "../execution.ts";
import { SEGMENT_REGISTERS, type SegmentRegister } from "../state/cpu-fields.ts";
import { GuestFault } from "../system/exceptions.ts";
import { loadSegment } from "../system/segments.ts";
import { complexRow, type Row, type RowOptions } from "./row.ts";

type Loadable = Exclude<SegmentRegister, "cs">;

/** A register gets the selector zero-extended, memory always one word. */
export function storeSelector(x: Execution, register: SegmentRegister | "ldtr" | "tr"): void {
  const selector = BigInt(x.cpu.state[register].selector);
  if (x.isMemory(0)) x.storeOperand(0, 0, 2, selector);
  else x.write(0, selector);
}

function named(x: Execution, i: number): SegmentRegister {
  const register = SEGMENT_REGISTERS[x.registerNumber(i)];
  if (register === undefined) throw new GuestFault("UD");
  return register;
}

/** Loads through SS hold interrupts off for one instruction (APM volume 2, section 8.5, unverified). */
function load(x: Execution, register: Loadable, selector: number): void {
  loadSegment(x.cpu, register, selector);
  if (register === "ss") shadow(x);
}

/** The shadow of SS holds single-step traps off too. */
function shadow(x: Execution): void {
  x.shadowInterrupts();
  x.cpu.state.trapDue = 0;
}

function moveToSegment(x: Execution): void {
  const register = named(x, 0);
  if (register === "cs") throw new GuestFault("UD");
  load(x, register, Number(x.read(1) & 0xffffn));
}

function push(register: SegmentRegister) {
  return (x: Execution): void => x.push(BigInt(x.cpu.state[register].selector), x.operandSize);
}

function pop(register: Loadable) {
  return (x: Execution): void => {
    const selector = Number(x.peek(x.operandSize) & 0xffffn);
    loadSegment(x.cpu, register, selector);
    x.moveStack(x.operandSize);
    if (register === "ss") shadow(x);
  };
}

/** Offsets are 16 or 32 bits in this family: REX.W only clears the rest of the register. */
function loadFar(register: Loadable) {
  return (x: Execution): void => {
    const size = x.operandSize === 2 ? 2 : 4;
    const offset = x.loadOperand(1, 0, size);
    const selector = Number(x.loadOperand(1, size, 2));
    loadSegment(x.cpu, register, selector);
    x.write(0, offset);
  };
}

const STACK: RowOptions = { default64: true };
const LEGACY: RowOptions = { not64: true };

export const SEGMENT_ROWS: readonly Row[] = [
  complexRow("MOV", "8C /r", "Ev,Sw", {}, (x) => storeSelector(x, named(x, 1))),
  complexRow("MOV", "8E /r", "Sw,Ew", {}, moveToSegment),
  complexRow("PUSH", "06", "ES", LEGACY, push("es")),
  complexRow("PUSH", "0E", "CS", LEGACY, push("cs")),
  complexRow("PUSH", "16", "SS", LEGACY, push("ss")),
  complexRow("PUSH", "1E", "DS", LEGACY, push("ds")),
  complexRow("PUSH", "0F A0", "FS", STACK, push("fs")),
  complexRow("PUSH", "0F A8", "GS", STACK, push("gs")),
  complexRow("POP", "07", "ES", LEGACY, pop("es")),
  complexRow("POP", "17", "SS", LEGACY, pop("ss")),
  complexRow("POP", "1F", "DS", LEGACY, pop("ds")),
  complexRow("POP", "0F A1", "FS", STACK, pop("fs")),
  complexRow("POP", "0F A9", "GS", STACK, pop("gs")),
  complexRow("LES", "C4 /r", "Gv,Mp", LEGACY, loadFar("es")),
  complexRow("LDS", "C5 /r", "Gv,Mp", LEGACY, loadFar("ds")),
  complexRow("LSS", "0F B2 /r", "Gv,Mp", {}, loadFar("ss")),
  complexRow("LFS", "0F B4 /r", "Gv,Mp", {}, loadFar("fs")),
  complexRow("LGS", "0F B5 /r", "Gv,Mp", {}, loadFar("gs")),
];
