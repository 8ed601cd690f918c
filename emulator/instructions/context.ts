/**
 * What the semantics of an instruction is written over: an abstract machine that is executed
 * directly by the evaluator (values are bigint) and compiled to WebAssembly by the interpreter
 * generator (values are wasm locals).
 *
 * V is a 64-bit value, B a condition, X a 128-bit value. Arithmetic on V is modulo 2^64; operands
 * that are read come zero-extended from their width, and writes truncate to it.
 *
 * Two rules keep instructions restartable: read every memory operand, and write the memory operand,
 * before changing any register or flag; and write at most one memory operand. An access that faults
 * ends the instruction on the spot.
 */
import type { GeneralRegister, SegmentRegister } from "../state/cpu-fields.ts";
import type { ExceptionName } from "../system/exceptions.ts";

/** Bytes of an operand. */
export type Size = 1 | 2 | 4 | 8;

/** The six arithmetic flags by name, and the direction flag. */
export type StatusFlag = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/** Condition codes in encoding order: Jcc, SETcc and CMOVcc take the low four bits of the opcode. */
export const CONDITIONS = [
  "O",
  "NO",
  "B",
  "NB",
  "Z",
  "NZ",
  "BE",
  "NBE",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "NL",
  "LE",
  "NLE",
] as const;
export type ConditionCode = (typeof CONDITIONS)[number];

/** Lane-wise operations on 128-bit values, by their WebAssembly names: one meaning, two back ends. */
export type LaneOperation =
  | `${"i8x16" | "i16x8"}.${"add_sat_s" | "add_sat_u" | "sub_sat_s" | "sub_sat_u" | "avgr_u"}`
  | `${"i8x16" | "i16x8" | "i32x4" | "i64x2"}.${"add" | "sub" | "eq"}`
  | `${"i8x16" | "i16x8" | "i32x4"}.${"gt_s" | "min_s" | "min_u" | "max_s" | "max_u"}`
  | "i16x8.mul"
  | "i32x4.mul"
  | "i32x4.dot_i16x8_s"
  | `i32x4.extmul_${"low" | "high"}_i16x8_${"s" | "u"}`
  | "i8x16.narrow_i16x8_s"
  | "i8x16.narrow_i16x8_u"
  | "i16x8.narrow_i32x4_s"
  | "i16x8.narrow_i32x4_u"
  | "v128.and"
  | "v128.or"
  | "v128.xor"
  | "v128.andnot";

export interface Context<V, B, X> {
  /** Effective operand size in bytes (2, 4 or 8) that a "v" operand has in this form. */
  readonly operandSize: 2 | 4 | 8;
  /** True in 64-bit mode. */
  readonly long: boolean;

  // ---- operands of the row, by position ----
  /** Bytes of operand i in this form. */
  sizeOf(i: number): Size;
  /** Whether operand i is in memory in this form. */
  isMemory(i: number): boolean;
  /** Value of operand i, zero-extended; immediates sign-extended as the operand letter says. */
  read(i: number): V;
  /** Value of operand i that is written later: checks write permission now. */
  readForWrite(i: number): V;
  /** Writes operand i (32-bit general registers zero their upper half). */
  write(i: number, value: V): void;
  /** Offset of memory operand i within its segment, at address size (LEA). */
  offset(i: number): V;
  /**
   * For bit-string operands (BT Ev,Gv): the memory operand i displaced by `bytes` (signed). Call
   * before reading operand i.
   */
  displace(i: number, bytes: V): void;
  /** 128-bit operand i: an XMM register, or 16 bytes of memory that must be aligned if asked. */
  readX(i: number, aligned?: boolean): X;
  /** As readX, of an operand that is written later: checks write permission now. */
  readForWriteX(i: number, aligned?: boolean): X;
  writeX(i: number, value: X, aligned?: boolean): void;

  // ---- values ----
  constant(value: bigint | number): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  not(a: V): V;
  /** Shifts take the amount modulo 64. */
  shiftLeft(a: V, amount: V): V;
  shiftRight(a: V, amount: V): V;
  shiftRightSigned(a: V, amount: V): V;
  rotateLeft(a: V, amount: V): V;
  rotateRight(a: V, amount: V): V;
  /** Undefined for a zero divisor (test first); signed forms also for -2^63 / -1. */
  divide(a: V, b: V): V;
  remainder(a: V, b: V): V;
  divideSigned(a: V, b: V): V;
  remainderSigned(a: V, b: V): V;
  /** High 64 bits of the 128-bit product. */
  multiplyHigh(a: V, b: V): V;
  multiplyHighSigned(a: V, b: V): V;
  countLeadingZeros(a: V): V;
  countTrailingZeros(a: V): V;
  popCount(a: V): V;
  signExtend(a: V, fromBytes: Size): V;
  zeroExtend(a: V, fromBytes: Size): V;

  // ---- conditions ----
  equal(a: V, b: V): B;
  below(a: V, b: V): B;
  less(a: V, b: V): B;
  isZero(a: V): B;
  isNonZero(a: V): B;
  /** Bit n of the value, as a condition. */
  bit(a: V, n: number): B;
  both(a: B, b: B): B;
  either(a: B, b: B): B;
  negate(a: B): B;
  /** 1 or 0. */
  toValue(a: B): V;
  select(condition: B, ifTrue: V, ifFalse: V): V;
  /** Runs `then` or `otherwise`; values made inside must not be used outside. */
  when(condition: B, then: () => void, otherwise?: () => void): void;

  // ---- registers ----
  /** General register, zero-extended from `size` bytes; "ah".. are not named here. */
  getRegister(name: GeneralRegister, size: Size): V;
  setRegister(name: GeneralRegister, size: Size, value: V): void;
  /** AH, for the few instructions that name it. */
  getAh(): V;
  setAh(value: V): void;
  /** Address of the next instruction. */
  nextRip(): V;
  /** Effective address size in bytes: the width of rCX, rSI and rDI in string instructions. */
  readonly addressSize: 2 | 4 | 8;

  // ---- memory ----
  /** Reads `size` bytes at segment:offset; offset already has address size. */
  load(segment: SegmentRegister | "operand", offset: V, size: Size): V;
  /**
   * Writes; may be followed by nothing that faults. "operand" is DS or the override prefix. `check`
   * runs when the place is known to be writable and nothing is written yet: it may fault.
   */
  store(
    segment: SegmentRegister | "operand",
    offset: V,
    size: Size,
    value: V,
    check?: () => void,
  ): void;
  /**
   * Pushes with the stack's address size; the stack pointer moves after the write succeeded.
   * `check` is as in store.
   */
  push(value: V, size: 2 | 4 | 8, check?: () => void): void;
  /** Reads the top of the stack without moving the pointer. */
  peek(size: 2 | 4 | 8): V;
  /** Moves the stack pointer up (pops) or down by a signed number of bytes, at stack width. */
  moveStack(bytes: number): void;

  // ---- control ----
  /** Next instruction is at `target`, truncated to operand size; checked against CS or canonical. */
  jump(target: V): void;
  jumpIf(condition: B, target: V): void;
  /** Ends the instruction with an exception. */
  fault(exception: ExceptionName, errorCode?: number): void;
  faultIf(condition: B, exception: ExceptionName, errorCode?: number): void;
  /**
   * Repeats: ends this iteration by leaving rip where it is, so that the instruction runs again
   * (each iteration retires once and can be interrupted).
   */
  repeat(): void;
  /** Which repeat prefix this form has. */
  readonly repeatPrefix: "none" | "REP" | "REPNE";

  // ---- flags ----
  getFlag(flag: StatusFlag): B;
  condition(code: ConditionCode): B;
  /** Flags of a + b (+ carry) = sum, operands and sum at `size` bytes. */
  flagsOfAdd(a: V, b: V, sum: V, size: Size): void;
  /** Flags of a - b (- borrow) = difference. */
  flagsOfSubtract(a: V, b: V, difference: V, size: Size): void;
  /** CF = OF = AF = 0; the rest from the result. */
  flagsOfLogic(result: V, size: Size): void;
  /** As add or subtract of 1, with CF kept. */
  flagsOfIncrement(before: V, after: V, size: Size): void;
  flagsOfDecrement(before: V, after: V, size: Size): void;
  /** SF, ZF, PF of the result; CF, OF and AF as given. */
  flagsOfResult(result: V, size: Size, carry: B, overflow: B, auxiliary: B): void;
  /** Sets the named flags one by one and keeps the others. */
  setFlags(flags: Partial<Record<StatusFlag, B>>): void;
  /** The arithmetic flags as bits of RFLAGS (SF:ZF:0:AF:0:PF:1:CF, OF at 11). */
  statusWord(): V;
  setStatusWord(value: V): void;
  /** Bits of RFLAGS that arithmetic does not touch: DF, IF, IOPL and so on, in place. */
  otherFlags(): V;
  /** Writes them; afterwards interrupts are looked at again if one waits. */
  setOtherFlags(value: V): void;
  /** Current privilege level, and the level that I/O and the interrupt flag need. */
  cpl(): V;
  iopl(): V;
  /** TSC in the current world, and TSC_AUX. */
  timeStamp(): V;
  timeStampAuxiliary(): V;
  /** Holds interrupts off until after the next instruction (STI). */
  shadowInterrupts(): void;

  // ---- 128-bit values ----
  lanes(operation: LaneOperation, a: X, b: X): X;
  constantX(value: bigint): X;
  /** Low and high 64 bits. */
  lowX(a: X): V;
  highX(a: X): V;
  makeX(low: V, high: V): X;
  /** Byte i of the result is byte indexes[i] of a (0-15) or b (16-31). */
  shuffleX(a: X, b: X, indexes: readonly number[]): X;
  /** One bit a byte: the top bits (PMOVMSKB). */
  byteMask(a: X): V;
}
