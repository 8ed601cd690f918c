/** PUSH, POP, PUSHA, POPA, ENTER and LEAVE. */

import type { Execution } from "../execution.ts";
import { GENERAL_REGISTERS } from "../state/cpu-fields.ts";
import { complexRow, type Row, type RowOptions, row, type Semantics } from "./row.ts";

const STACK: RowOptions = { default64: true };

const push: Semantics = (c) => c.push(c.read(0), c.operandSize);

/** POP of rSP leaves the value popped. */
const popRegister: Semantics = (c) => {
  const value = c.peek(c.operandSize);
  c.moveStack(c.operandSize);
  c.write(0, value);
};

/** Runs steps that move the stack pointer several times; a fault on the way leaves it as it was. */
function restartable(x: Execution, steps: () => void): void {
  const { state } = x.cpu;
  const { rsp, rbp } = state;
  try {
    steps();
  } catch (fault) {
    state.rsp = rsp;
    state.rbp = rbp;
    throw fault;
  }
}

/** A destination addressed by rSP is computed after the pointer has moved (APM volume 3, POP). */
function popOperand(x: Execution): void {
  const value = x.peek(x.operandSize);
  restartable(x, () => {
    x.moveStack(x.operandSize);
    x.write(0, value);
  });
}

/** The first eight registers, in the order in which PUSHA pushes them. */
const PUSHED = GENERAL_REGISTERS.slice(0, 8);

function pushAll(x: Execution): void {
  const size = x.operandSize;
  const values = PUSHED.map((name) => x.getRegister(name, size));
  restartable(x, () => {
    for (const value of values) x.push(value, size);
  });
}

/** The value popped for rSP is thrown away. */
function popAll(x: Execution): void {
  const size = x.operandSize;
  const values = new Map<(typeof PUSHED)[number], bigint>();
  restartable(x, () => {
    for (const name of PUSHED.toReversed()) {
      values.set(name, x.peek(size));
      x.moveStack(size);
    }
  });
  for (const [name, value] of values) if (name !== "rsp") x.setRegister(name, size, value);
}

/** The stack pointer, or an offset in the stack segment, at the stack's address size. */
function stackOffset(x: Execution, value: bigint): bigint {
  return BigInt.asUintN(x.stackBits, value);
}

function setStackRegister(x: Execution, name: "rsp" | "rbp", value: bigint): void {
  x.setRegister(name, x.stackBits === 64 ? 8 : x.stackBits === 32 ? 4 : 2, value);
}

/**
 * ENTER size, level: pushes rBP, copies level - 1 outer frame pointers and the new one, and makes
 * room. The last byte of the new frame is probed for writing, as the CPU does.
 */
function enter(x: Execution): void {
  const size = x.operandSize;
  const room = x.read(0) & 0xffffn;
  const level = Number(x.read(1) & 0x1fn);
  restartable(x, () => {
    let outer = x.getRegister("rbp", 8);
    x.push(x.getRegister("rbp", size), size);
    const frame = stackOffset(x, x.getRegister("rsp", 8));
    for (let i = 1; i < level; i++) {
      outer -= BigInt(size);
      x.push(x.load("ss", stackOffset(x, outer), size), size);
    }
    if (level > 0) x.push(frame, size);
    const top = stackOffset(x, x.getRegister("rsp", 8) - room);
    x.store("ss", top, size, x.load("ss", top, size));
    setStackRegister(x, "rsp", top);
    x.setRegister("rbp", size, frame);
  });
}

/** In 64-bit mode the stack is 64 bits wide and LEAVE is short enough for generated code. */
const leave64: Semantics = (c) => {
  const frame = c.getRegister("rbp", 8);
  const saved = c.load("ss", frame, c.operandSize);
  c.setRegister("rsp", 8, c.add(frame, c.constant(c.operandSize)));
  c.setRegister("rbp", c.operandSize, saved);
};

function leave(x: Execution): void {
  const size = x.operandSize;
  const frame = stackOffset(x, x.getRegister("rbp", 8));
  const saved = x.load("ss", frame, size);
  setStackRegister(x, "rsp", frame + BigInt(size));
  x.setRegister("rbp", size, saved);
}

export const STACK_ROWS: readonly Row[] = [
  row("PUSH", "50 +r", "Zv", STACK, push),
  row("PUSH", "68", "Iz", STACK, push),
  row("PUSH", "6A", "Ibs", STACK, push),
  row("PUSH", "FF /6", "Ev", STACK, push),
  row("POP", "58 +r", "Zv", STACK, popRegister),
  complexRow("POP", "8F /0", "Ev", STACK, popOperand),
  complexRow("PUSHA", "60", "", { not64: true }, pushAll),
  complexRow("POPA", "61", "", { not64: true }, popAll),
  complexRow("ENTER", "C8", "Iw,Ib", STACK, enter),
  row("LEAVE", "C9", "", { ...STACK, only64: true }, leave64),
  complexRow("LEAVE", "C9", "", { not64: true }, leave),
];
