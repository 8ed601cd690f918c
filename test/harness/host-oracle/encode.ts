/** Makes instruction bytes from a row: random registers, addressing modes, prefixes and immediates. */

import { type Encoding, parseEncoding } from "../../../emulator/decode/encoding.ts";
import { type Operand, parseOperands, widthOf } from "../../../emulator/decode/operands.ts";
import type { Row } from "../../../emulator/instructions/row.ts";
import type { Random } from "../random.ts";
import { type Bits, codeOffset, dataOffset } from "./vector.ts";

/** What to make of a row. */
export interface Variant {
  readonly bits: Bits;
  /** Operand-size prefix: none, 66, or REX.W. */
  readonly sizing: "none" | "66" | "W";
  readonly memory: boolean;
  readonly repeat: "none" | "F2" | "F3";
}

export interface Encoded {
  readonly code: readonly number[];
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  /** Numbers of the operands' registers; byte registers 4-7 without REX are counted as 4-7. */
  readonly registers: readonly number[];
  /** Values that address the memory operand. */
  readonly addressing: ReadonlyMap<number, bigint>;
  /** Offset of the memory operand in the window. */
  readonly at: number;
}

interface MemoryBytes {
  readonly modRm: number;
  readonly tail: number[];
  readonly rex: number;
  readonly addressing: Map<number, bigint>;
  /** The last four bytes are relative to the end of the instruction. */
  readonly ripRelative: boolean;
}

function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function operandSizeOf(row: Row, variant: Variant): 2 | 4 | 8 {
  if (variant.bits !== 64) return (variant.sizing === "66") === (variant.bits === 32) ? 2 : 4;
  if (variant.sizing === "W" || row.force64) return 8;
  if (variant.sizing === "66") return 2;
  return row.default64 ? 8 : 4;
}

const REX_B = 1;
const REX_X = 2;
const REX_R = 4;
const REX_W = 8;

/** [base + index * scale + displacement] for an address, with registers outside `reserved`. */
function indexedMemory(
  random: Random,
  bits: Bits,
  target: bigint,
  reserved: ReadonlySet<number>,
): MemoryBytes {
  const free = Array.from({ length: bits === 64 ? 16 : 8 }, (_, i) => i).filter(
    (r) => !reserved.has(r),
  );
  const width = bits === 64 ? 64 : 32;
  const base = random.pick(free);
  const withIndex = random.oneIn(2);
  const index = withIndex ? random.pick(free.filter((r) => r !== 4 && r !== base)) : 4;
  const scale = random.below(4);
  const mod = (base & 7) === 5 ? random.pick([1, 2]) : random.pick([0, 1, 2]);
  const displacement = BigInt.asIntN(mod === 1 ? 8 : 32, mod === 0 ? 0n : random.value(4));
  const addressing = new Map<number, bigint>();
  let rest = target - displacement;
  if (withIndex) {
    const value = random.oneIn(2) ? BigInt(random.below(256)) : BigInt.asUintN(width, random.u64());
    addressing.set(index, value);
    rest -= value << BigInt(scale);
  }
  addressing.set(base, BigInt.asUintN(width, rest));
  const sib = withIndex || (base & 7) === 4;
  const tail = sib ? [(scale << 6) | ((index & 7) << 3) | (base & 7)] : [];
  tail.push(...little(displacement, mod === 0 ? 0 : mod === 1 ? 1 : 4));
  const rex = (base >= 8 ? REX_B : 0) | (index >= 8 ? REX_X : 0);
  return { modRm: (mod << 6) | (sib ? 4 : base & 7), tail, rex, addressing, ripRelative: false };
}

const RBX = 3;
const RBP = 5;
const RSI = 6;
const RDI = 7;
/** Registers that each value of ModRM.rm adds up in 16-bit addressing. */
const PAIRS_16 = [[RBX, RSI], [RBX, RDI], [RBP, RSI], [RBP, RDI], [RSI], [RDI], [RBP], [RBX]];

/** 16-bit addressing: sums wrap at 64 KiB, upper halves of registers do not count. */
function memory16(random: Random, target: bigint, reserved: ReadonlySet<number>): MemoryBytes {
  const plain = { rex: 0, ripRelative: false };
  const free = [0, 1, 2, 3, 4, 5, 6, 7].filter((rm) => !PAIRS_16[rm]?.some((r) => reserved.has(r)));
  if (free.length === 0 || random.oneIn(8)) {
    return { ...plain, modRm: 6, tail: little(target, 2), addressing: new Map() };
  }
  const rm = random.pick(free);
  const mod = rm === 6 ? random.pick([1, 2]) : random.pick([0, 1, 2]);
  const displacement = BigInt.asIntN(mod === 1 ? 8 : 16, mod === 0 ? 0n : random.value(2));
  const [base = RBX, index] = PAIRS_16[rm] ?? [];
  const addressing = new Map<number, bigint>();
  let rest = target - displacement;
  if (index !== undefined) {
    const value = BigInt(random.u32());
    addressing.set(index, value);
    rest -= value;
  }
  addressing.set(base, BigInt.asUintN(16, rest) | (BigInt(random.below(0x10000)) << 16n));
  return { ...plain, modRm: (mod << 6) | rm, tail: little(displacement, mod), addressing };
}

function memoryBytes(
  random: Random,
  bits: Bits,
  target: bigint,
  reserved: ReadonlySet<number>,
): MemoryBytes {
  const plain = { rex: 0, addressing: new Map<number, bigint>() };
  if (random.oneIn(8)) {
    // [disp32]: with a SIB byte, which in 64-bit mode tells it from rip-relative.
    return { ...plain, modRm: 4, tail: [0x25, ...little(target, 4)], ripRelative: false };
  }
  if (random.oneIn(8)) {
    return { ...plain, modRm: 5, tail: little(target, 4), ripRelative: bits === 64 };
  }
  return indexedMemory(random, bits, target, reserved);
}

function immediates(
  random: Random,
  operands: readonly Operand[],
  operandSize: 2 | 4 | 8,
  long: boolean,
  address: bigint,
  addressSize: number,
): number[] {
  return operands.flatMap((operand) => {
    if (operand.place === "moffs") return little(address, addressSize);
    if (operand.place !== "immediate" && operand.place !== "relative") return [];
    const bytes = operand.width === "ibs" ? 1 : widthOf(operand, operandSize, long);
    return little(random.value(bytes), bytes);
  });
}

interface ModRmBytes extends MemoryBytes {
  readonly registers: number[];
}

/** The ModRM byte and what follows it. */
function operandBytes(
  random: Random,
  encoding: Encoding,
  operands: readonly Operand[],
  variant: Variant,
  target: bigint,
  reserved: ReadonlySet<number>,
  addressSize: number,
): ModRmBytes {
  const limit = variant.bits === 64 ? 16 : 8;
  const registers: number[] = [];
  const none = {
    modRm: 0,
    tail: [],
    rex: 0,
    addressing: new Map<number, bigint>(),
    ripRelative: false,
  };
  if (encoding.registerInOpcode) {
    const register = random.below(limit);
    return { ...none, modRm: register & 7, rex: register >= 8 ? REX_B : 0, registers: [register] };
  }
  if (!encoding.hasModRm) return { ...none, registers };
  if (encoding.fixedModRm !== undefined) return { ...none, modRm: encoding.fixedModRm, registers };
  const named = operands.some((o) => o.place === "reg");
  const reg = encoding.extension ?? random.below(named ? limit : 8);
  if (named) registers.push(reg);
  const rexR = named && reg >= 8 ? REX_R : 0;
  if (variant.memory) {
    const memory =
      addressSize === 2
        ? memory16(random, target, reserved)
        : memoryBytes(random, variant.bits, target, reserved);
    const modRm = memory.modRm | ((reg & 7) << 3);
    return { ...memory, modRm, rex: memory.rex | rexR, registers };
  }
  const rm = random.below(limit);
  registers.push(rm);
  const rex = rexR | (rm >= 8 ? REX_B : 0);
  return { ...none, modRm: 0xc0 | ((reg & 7) << 3) | (rm & 7), rex, registers };
}

function prefixBytes(
  row: Row,
  encoding: Encoding,
  variant: Variant,
  random: Random,
  addressPrefix: boolean,
): number[] {
  const bytes: number[] = [];
  if (variant.sizing === "66") bytes.push(0x66);
  if (addressPrefix) bytes.push(0x67);
  if (row.lock && variant.memory && random.oneIn(3)) bytes.push(0xf0);
  if (variant.repeat !== "none") bytes.push(variant.repeat === "F2" ? 0xf2 : 0xf3);
  if (encoding.prefix !== undefined && encoding.prefix !== "NP") {
    bytes.push(Number.parseInt(encoding.prefix, 16));
  }
  return bytes;
}

/** Bytes of the row in this variant; the memory operand, if there is one, is at the window's offset + at. */
export function encode(
  row: Row,
  variant: Variant,
  random: Random,
  at: number,
  reserved: ReadonlySet<number>,
): Encoded {
  const encoding = parseEncoding(row.encoding);
  const operands = parseOperands(row.operands);
  const long = variant.bits === 64;
  const operandSize = operandSizeOf(row, variant);
  // 16-bit addresses cannot reach the window of flat 32-bit segments.
  const addressPrefix = variant.bits !== 32 && random.oneIn(variant.bits === 64 ? 6 : 3);
  const addressSize = { 64: addressPrefix ? 4 : 8, 32: 4, 16: addressPrefix ? 4 : 2 }[
    variant.bits
  ] as 2 | 4 | 8;
  const target = dataOffset(variant.bits) + BigInt(at);
  const modRm = operandBytes(random, encoding, operands, variant, target, reserved, addressSize);
  let rex = modRm.rex | (long && variant.sizing === "W" ? REX_W : 0);
  if (rex !== 0 || (long && random.oneIn(4))) rex |= 0x40;
  if (addressPrefix && long) {
    // The upper halves of address registers do not count.
    for (const [register, value] of modRm.addressing) {
      modRm.addressing.set(register, value ^ (BigInt(random.u32()) << 32n));
    }
  }
  const maps: number[][] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
  const opcode = encoding.opcode | (encoding.registerInOpcode ? modRm.modRm : 0);
  const head = [...prefixBytes(row, encoding, variant, random, addressPrefix)];
  if (rex !== 0) head.push(rex);
  head.push(...(maps[encoding.map] ?? []), opcode);
  if (encoding.hasModRm) head.push(modRm.modRm);
  const immediate = immediates(random, operands, operandSize, long, target, addressSize);
  const tail = [...modRm.tail];
  if (modRm.ripRelative) {
    const length = head.length + tail.length + immediate.length;
    tail.splice(-4, 4, ...little(target - codeOffset(variant.bits) - BigInt(length), 4));
  }
  return {
    code: [...head, ...tail, ...immediate],
    operandSize,
    addressSize,
    registers: modRm.registers,
    addressing: modRm.addressing,
    at,
  };
}
