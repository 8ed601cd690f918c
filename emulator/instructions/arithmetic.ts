/** ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG, XADD, CMPXCHG, CMPXCHG8B/16B, and the shape of the eight ALU families. */

import type { Context } from "./context.ts";
import { opcodeByte, type Row, type RowOptions, row, type Semantics } from "./row.ts";

/** One of the eight operations of the regular opcode block. */
export interface AluFamily {
  /** Position in the family order: ADD OR ADC SBB AND SUB XOR CMP. */
  readonly index: number;
  /** LOCK is legal on the forms with a memory destination. */
  readonly lock: boolean;
  readonly options?: RowOptions;
}

/** APM volume 3, the opcode map's regular block 00h-3Fh and groups 80h-83h. */
export function aluRows(mnemonic: string, family: AluFamily, semantics: Semantics): Row[] {
  const { index, lock } = family;
  const form = (encoding: string, operands: string, more: RowOptions = {}): Row =>
    row(mnemonic, encoding, operands, { ...family.options, ...more }, semantics);
  const locked: RowOptions = lock ? { lock: true } : {};
  const base = index * 8;
  return [
    form(`${opcodeByte(base)} /r`, "Eb,Gb", locked),
    form(`${opcodeByte(base + 1)} /r`, "Ev,Gv", locked),
    form(`${opcodeByte(base + 2)} /r`, "Gb,Eb"),
    form(`${opcodeByte(base + 3)} /r`, "Gv,Ev"),
    form(opcodeByte(base + 4), "AL,Ib"),
    form(opcodeByte(base + 5), "rAX,Iz"),
    form(`80 /${index}`, "Eb,Ib", locked),
    form(`81 /${index}`, "Ev,Iz", locked),
    form(`82 /${index}`, "Eb,Ib", { ...locked, not64: true }),
    form(`83 /${index}`, "Ev,Ibs", locked),
  ];
}

function addWith<V, B, X>(c: Context<V, B, X>, carry: V | undefined): void {
  const a = c.readForWrite(0);
  const b = c.read(1);
  const plain = c.add(a, b);
  const sum = carry === undefined ? plain : c.add(plain, carry);
  c.write(0, sum);
  c.flagsOfAdd(a, b, sum, c.sizeOf(0));
}

function subtractWith<V, B, X>(c: Context<V, B, X>, borrow: V | undefined): void {
  const a = c.readForWrite(0);
  const b = c.read(1);
  const plain = c.sub(a, b);
  const difference = borrow === undefined ? plain : c.sub(plain, borrow);
  c.write(0, difference);
  c.flagsOfSubtract(a, b, difference, c.sizeOf(0));
}

const increment: Semantics = (c) => {
  const before = c.readForWrite(0);
  const after = c.add(before, c.constant(1));
  c.write(0, after);
  c.flagsOfIncrement(before, after, c.sizeOf(0));
};

const decrement: Semantics = (c) => {
  const before = c.readForWrite(0);
  const after = c.sub(before, c.constant(1));
  c.write(0, after);
  c.flagsOfDecrement(before, after, c.sizeOf(0));
};

const negate: Semantics = (c) => {
  const a = c.readForWrite(0);
  const zero = c.constant(0);
  const result = c.sub(zero, a);
  c.write(0, result);
  c.flagsOfSubtract(zero, a, result, c.sizeOf(0));
};

const exchangeAndAdd: Semantics = (c) => {
  const a = c.readForWrite(0);
  const b = c.read(1);
  const sum = c.add(a, b);
  if (c.isMemory(0)) {
    c.write(0, sum);
    c.write(1, a);
  } else {
    // XADD of a register with itself leaves the sum.
    c.write(1, a);
    c.write(0, sum);
  }
  c.flagsOfAdd(a, b, sum, c.sizeOf(0));
};

/**
 * Memory is written in both outcomes: with the source, or with what it held. A register that does
 * not compare equal is left alone, its upper half too.
 */
const compareAndExchange: Semantics = (c) => {
  const size = c.sizeOf(0);
  const destination = c.readForWrite(0);
  const source = c.read(1);
  const accumulator = c.getRegister("rax", size);
  const same = c.equal(accumulator, destination);
  if (c.isMemory(0)) c.write(0, c.select(same, source, destination));
  else c.when(same, () => c.write(0, source));
  c.flagsOfSubtract(accumulator, destination, c.sub(accumulator, destination), size);
  c.when(c.negate(same), () => c.setRegister("rax", size, destination));
};

function compareAndExchange8<V, B, X>(c: Context<V, B, X>): void {
  const half = c.constant(32);
  const pair = (high: V, low: V): V => c.or(c.shiftLeft(high, half), low);
  const destination = c.readForWrite(0);
  const expected = pair(c.getRegister("rdx", 4), c.getRegister("rax", 4));
  const replacement = pair(c.getRegister("rcx", 4), c.getRegister("rbx", 4));
  const same = c.equal(expected, destination);
  c.write(0, c.select(same, replacement, destination));
  c.setFlags({ ZF: same });
  c.when(c.negate(same), () => {
    c.setRegister("rax", 4, destination);
    c.setRegister("rdx", 4, c.shiftRight(destination, half));
  });
}

function compareAndExchange16<V, B, X>(c: Context<V, B, X>): void {
  const destination = c.readForWriteX(0, true);
  const low = c.lowX(destination);
  const high = c.highX(destination);
  const same = c.both(
    c.equal(c.getRegister("rax", 8), low),
    c.equal(c.getRegister("rdx", 8), high),
  );
  c.writeX(
    0,
    c.makeX(
      c.select(same, c.getRegister("rbx", 8), low),
      c.select(same, c.getRegister("rcx", 8), high),
    ),
    true,
  );
  c.setFlags({ ZF: same });
  c.when(c.negate(same), () => {
    c.setRegister("rax", 8, low);
    c.setRegister("rdx", 8, high);
  });
}

const oneOperand: Row[] = [
  row("INC", "FE /0", "Eb", { lock: true }, increment),
  row("INC", "FF /0", "Ev", { lock: true }, increment),
  row("INC", "40 +r", "Zv", { not64: true }, increment),
  row("DEC", "FE /1", "Eb", { lock: true }, decrement),
  row("DEC", "FF /1", "Ev", { lock: true }, decrement),
  row("DEC", "48 +r", "Zv", { not64: true }, decrement),
  row("NEG", "F6 /3", "Eb", { lock: true }, negate),
  row("NEG", "F7 /3", "Ev", { lock: true }, negate),
];

const exchanging: Row[] = [
  row("XADD", "0F C0 /r", "Eb,Gb", { lock: true }, exchangeAndAdd),
  row("XADD", "0F C1 /r", "Ev,Gv", { lock: true }, exchangeAndAdd),
  row("CMPXCHG", "0F B0 /r", "Eb,Gb", { lock: true }, compareAndExchange),
  row("CMPXCHG", "0F B1 /r", "Ev,Gv", { lock: true }, compareAndExchange),
  // With REX.W it is CMPXCHG16B.
  row("CMPXCHG8B", "0F C7 /1", "Mq", { lock: true }, (c) =>
    c.operandSize === 8 ? compareAndExchange16(c) : compareAndExchange8(c),
  ),
];

export const ARITHMETIC_ROWS: readonly Row[] = [
  ...aluRows("ADD", { index: 0, lock: true }, (c) => addWith(c, undefined)),
  ...aluRows("ADC", { index: 2, lock: true }, (c) => addWith(c, c.toValue(c.getFlag("CF")))),
  ...aluRows("SBB", { index: 3, lock: true }, (c) => subtractWith(c, c.toValue(c.getFlag("CF")))),
  ...aluRows("SUB", { index: 5, lock: true }, (c) => subtractWith(c, undefined)),
  ...aluRows(
    "CMP",
    {
      index: 7,
      lock: false,
    },
    (c) => {
      const a = c.read(0);
      const b = c.read(1);
      c.flagsOfSubtract(a, b, c.sub(a, b), c.sizeOf(0));
    },
  ),
  ...oneOperand,
  ...exchanging,
];
