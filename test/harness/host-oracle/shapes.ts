/** Inputs that make sense for instructions whose operands are implied: stacks, strings, branches, divisions. */

import type { Random } from "../random.ts";
import type { Encoded } from "./encode.ts";
import { type Bits, codeOffset, dataOffset, type VectorState } from "./vector.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

export interface Case {
  readonly random: Random;
  readonly encoded: Encoded;
  readonly bits: Bits;
  readonly state: VectorState;
  readonly code: number[];
}

export interface Shape {
  /** Registers that may not address a memory operand. */
  readonly reserved: readonly number[];
  /** Implied registers that get random values first. */
  readonly random: readonly number[];
  /** Puts sensible values where random ones would be of no use. */
  readonly prepare?: (c: Case) => void;
}

function setMemory(state: VectorState, at: number, value: bigint, bytes: number): void {
  for (let i = 0; i < bytes; i++) state.memory[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function getMemory(state: VectorState, at: number, bytes: number): bigint {
  let value = 0n;
  for (let i = 0; i < bytes; i++) value |= BigInt(state.memory[at + i] ?? 0) << BigInt(8 * i);
  return value;
}

/** Bits above the address size, which do not count. */
function beyondAddressSize(random: Random, { addressSize }: Encoded, bits: Bits): bigint {
  if (addressSize === 2) return BigInt(random.below(0x10000)) << 16n;
  return addressSize === 4 && bits === 64 ? BigInt(random.u32()) << 32n : 0n;
}

/** Replaces the low `bytes` bytes of a register. */
function setLow(state: VectorState, register: number, value: bigint, bytes: number): void {
  const kept = ((state.registers[register] ?? 0n) >> BigInt(8 * bytes)) << BigInt(8 * bytes);
  state.registers[register] = kept | BigInt.asUintN(8 * bytes, value);
}

const inWindow = (bits: Bits, at: number): bigint => dataOffset(bits) + BigInt(at);

/** A place among the breakpoints that surround the instruction. */
function target({ random, bits }: Case): bigint {
  return (
    codeOffset(bits) + BigInt(random.oneIn(2) ? 16 + random.below(100) : -1 - random.below(100))
  );
}

function stackPointer(at: number): (c: Case) => void {
  return ({ state, bits }) => {
    state.registers[RSP] = inWindow(bits, at);
  };
}

/** Relative branches: byte displacements from the end of the instruction to a breakpoint. */
function relativeBranch(c: Case): void {
  const { code, encoded, bits } = c;
  const bytes = code[code.length - 1] === undefined ? 0 : relativeBytes(code, encoded);
  const displacement = target(c) - (codeOffset(bits) + BigInt(code.length));
  for (let i = 0; i < bytes; i++) {
    code[code.length - bytes + i] = Number((displacement >> BigInt(8 * i)) & 0xffn);
  }
}

function relativeBytes(code: readonly number[], { operandSize }: Encoded): number {
  const opcode = code.find((byte) => ![0x66, 0x67].includes(byte) && (byte & 0xf0) !== 0x40);
  const near = opcode === 0x0f || opcode === 0xe8 || opcode === 0xe9;
  return near ? Math.min(operandSize, 4) : 1;
}

/** Indirect branches: the operand holds the target; sometimes a non-canonical one. */
function indirectBranch(c: Case): void {
  const { random, state, encoded, bits, code } = c;
  const wild = bits === 64 && random.oneIn(6);
  const to = wild ? 0x0000900000000000n + BigInt(random.below(99)) : target(c);
  // CALL rSP would push into its own target: make it rBP.
  const named = encoded.registers[0];
  const register = named === RSP ? RBP : named;
  if (named === RSP) code.push((code.pop() ?? 0) + 1);
  if (register === undefined) setMemory(state, encoded.at, to, 8);
  else state.registers[register] = bits === 64 ? to : BigInt.asUintN(32, to);
  state.registers[RSP] = inWindow(bits, 40);
}

function division({ random, state, encoded }: Case): void {
  if (random.oneIn(4)) return;
  const bytes = encoded.operandSize;
  const low = state.registers[RAX] ?? 0n;
  const negative = random.oneIn(2) && ((low >> BigInt(8 * bytes - 1)) & 1n) === 1n;
  setLow(state, RDX, negative ? -1n : BigInt(random.below(8)), bytes);
}

function byteDivision({ random, state }: Case): void {
  if (random.oneIn(4)) return;
  setLow(state, RAX, BigInt(random.below(0x400)) - (random.oneIn(3) ? 0x200n : 0n), 2);
}

/** The accumulator equals the destination half of the time. */
function compareExchange({ random, state, encoded }: Case): void {
  if (random.oneIn(2)) return;
  const destination = encoded.registers.at(-1);
  const inMemory = encoded.registers.length === 1;
  const value = inMemory
    ? getMemory(state, encoded.at, 8)
    : (state.registers[destination ?? RAX] ?? 0n);
  setLow(state, RAX, value, encoded.operandSize);
}

function compareExchangePair({ random, state, encoded }: Case): void {
  if (random.oneIn(2)) return;
  const half = encoded.operandSize === 8 ? 8 : 4;
  setLow(state, RAX, getMemory(state, encoded.at, half), half);
  setLow(state, RDX, getMemory(state, encoded.at + half, half), half);
}

/** rSI and rDI in the middle, room for three elements on both sides; few different bytes. */
function string({ random, state, encoded, bits }: Case): void {
  const high = beyondAddressSize(random, encoded, bits);
  state.registers[RSI] = high | inWindow(bits, 24 + random.below(8));
  state.registers[RDI] = high | inWindow(bits, 24 + random.below(8));
  state.registers[RCX] = high | BigInt(random.below(4));
  if (random.oneIn(2)) state.flags |= 1n << 10n;
  if (random.oneIn(2)) return;
  for (let i = 0; i < state.memory.length; i++) state.memory[i] = random.oneIn(5) ? 0x41 : 0x40;
  state.registers[RAX] = random.oneIn(2) ? 0x4040404040404040n : 0x4140404040404041n;
  if (bits !== 64) state.registers[RAX] &= 0xffffffffn;
}

/** The bit index reaches 16 bytes to either side. */
function bitString({ random, state, encoded }: Case): void {
  const [index] = encoded.registers;
  // Register forms have no string, and an index that also addresses the string stays.
  if (index === undefined || encoded.registers.length > 1 || encoded.addressing.has(index)) return;
  setLow(state, index, BigInt(random.below(256) - 128), encoded.operandSize);
}

function translate({ random, state, encoded, bits }: Case): void {
  const al = random.below(64);
  setLow(state, RAX, BigInt(al), 1);
  const high = beyondAddressSize(random, encoded, bits);
  state.registers[RBX] = high | (inWindow(bits, random.below(64)) - BigInt(al));
}

/** Frame pointers in the window: two outer ones below rBP, and a frame of at most 15 bytes. */
function enterFrame(c: Case): void {
  const { random, state, code, bits } = c;
  state.registers[RSP] = inWindow(bits, 56);
  state.registers[RBP] = inWindow(bits, 60);
  code.splice(-3, 3, random.below(16), 0, random.below(4) | (random.oneIn(2) ? 0xe0 : 0));
}

/** RFLAGS to pop: without TF, which would trap, and AC, which would check alignment. */
function popFlags({ random, state, bits }: Case): void {
  state.registers[RSP] = inWindow(bits, 24);
  setMemory(state, 24, random.u64() & ~0x40100n, 8);
}

function framePointer({ state, bits }: Case): void {
  state.registers[RBP] = inWindow(bits, 20);
}

function returnAddress(c: Case): void {
  const { bits, random, state } = c;
  const wild = bits === 64 && random.oneIn(6);
  state.registers[RSP] = inWindow(bits, 16);
  setMemory(state, 16, wild ? 0x0000800000000000n : target(c), 8);
}

const NONE: Shape = { reserved: [], random: [] };
const STRING: Shape = { reserved: [], random: [RAX], prepare: string };
const MULTIPLY: Shape = { reserved: [], random: [RAX, RDX] };
const BITS: Shape = { reserved: [], random: [], prepare: bitString };
const BRANCH: Shape = { reserved: [], random: [RCX], prepare: relativeBranch };
const STACK: Shape = { reserved: [RSP], random: [], prepare: stackPointer(32) };

const BY_MNEMONIC: Record<string, Shape> = {
  MUL: MULTIPLY,
  CMPXCHG: { reserved: [RAX], random: [RAX], prepare: compareExchange },
  CMPXCHG8B: { reserved: [RAX, RDX], random: [RAX, RDX, RBX, RCX], prepare: compareExchangePair },
  BT: BITS,
  BTS: BITS,
  BTR: BITS,
  BTC: BITS,
  XLAT: { reserved: [], random: [], prepare: translate },
  PUSH: STACK,
  POP: { ...STACK, reserved: [], prepare: popOperand },
  PUSHA: { ...STACK, random: [RAX, RCX, RDX, RBX, RBP, RSI, RDI], prepare: stackPointer(48) },
  POPA: { ...STACK, prepare: stackPointer(8) },
  PUSHF: STACK,
  POPF: { ...STACK, prepare: popFlags },
  ENTER: { ...STACK, prepare: enterFrame },
  LEAVE: { ...STACK, prepare: framePointer },
  RET: { ...STACK, prepare: returnAddress },
  CBW: { ...NONE, random: [RAX] },
  CWD: { ...NONE, random: [RAX] },
  LAHF: { ...NONE, random: [RAX] },
  SAHF: { ...NONE, random: [RAX] },
  DAA: { ...NONE, random: [RAX] },
  DAS: { ...NONE, random: [RAX] },
  AAA: { ...NONE, random: [RAX] },
  AAS: { ...NONE, random: [RAX] },
  AAM: { ...NONE, random: [RAX] },
  AAD: { ...NONE, random: [RAX] },
};

/** POP to memory addressed by rSP stays in the window, moved on by what was popped. */
function popOperand({ state, encoded, bits }: Case): void {
  if (!encoded.addressing.has(RSP)) state.registers[RSP] = inWindow(bits, 32);
}

function relativeCall(c: Case): void {
  const { bits, state } = c;
  relativeBranch(c);
  state.registers[RSP] = inWindow(bits, 40);
}

/** How to make inputs for a row. */
export function shapeOf(row: { mnemonic: string; encoding: string; operands: string }): Shape {
  const { mnemonic, encoding, operands } = row;
  if (mnemonic === "IMUL") return operands.includes(",") ? NONE : MULTIPLY;
  if (mnemonic === "DIV" || mnemonic === "IDIV") {
    return { ...MULTIPLY, prepare: operands === "Eb" ? byteDivision : division };
  }
  if (/^(MOVS|STOS|LODS|CMPS|SCAS)$/.test(mnemonic)) return STRING;
  if (operands === "Ev" && (mnemonic === "CALL" || mnemonic === "JMP")) {
    return { ...STACK, prepare: indirectBranch };
  }
  if (mnemonic === "CALL") return { ...STACK, prepare: relativeCall };
  const known = BY_MNEMONIC[mnemonic];
  if (known !== undefined) return known;
  if (operands === "Jb" || operands === "Jz") return BRANCH;
  if (operands.includes("CL")) return { ...NONE, random: [RCX] };
  return encoding.includes("+r") || /AL|rAX/.test(operands) ? { ...NONE, random: [RAX] } : NONE;
}
