/**
 * The context that compiles semantics to WebAssembly: values are locals or constants, operands are
 * found through the decoded record.
 *
 * A compiled form is code over three locals: CPU (address of the CPU state), RECORD (address of the
 * decoded record) and NEXT (rip after the instruction, to be changed by jumps). It ends by falling
 * through with NEXT set, or by branching to the abort label when a fault or exit replaced it.
 */
import type { Form } from "../decode/form.ts";
import { RECORD } from "../decode/instruction.ts";
import { immediateWidth, type Operand, widthOf } from "../decode/operands.ts";
import type { Context, LaneOperation, Size } from "../instructions/context.ts";
import { ContextBase, type WordField } from "../instructions/context-base.ts";
import {
  CPU_FIELDS,
  type FieldName,
  type GeneralRegister,
  SEGMENT_REGISTERS,
  type SegmentRegister,
} from "../state/cpu-fields.ts";
import { INTERCEPTS, type InterceptName } from "../svm/intercepts.ts";
import { EXCEPTIONS, type ExceptionName } from "../system/exceptions.ts";
import { I32, I64, OP, V128 } from "../wasm/encoder.ts";
import type { CodeWriter } from "./code-writer.ts";
import { LANE_OPCODES, SIMD } from "./lane-opcodes.ts";
import { type AccessKind, MemoryEmitter } from "./memory-emitter.ts";
import { CPU, NEXT, RECORD_AT, type Runtime } from "./runtime.ts";

/** A 64-bit value: a local or a known constant. */
export type Value = { readonly local: number } | { readonly constant: bigint };
/** An i32 local holding 0 or not 0. */
export type Condition = { readonly condition: number };
/** A v128 local. */
export type Vector = { readonly vector: number };

const LOAD = { 1: OP.i64Load8U, 2: OP.i64Load16U, 4: OP.i64Load32U, 8: OP.i64Load };
const STORE = { 1: OP.i64Store8, 2: OP.i64Store16, 4: OP.i64Store32, 8: OP.i64Store };
const SIGN = { 1: OP.i64Extend8S, 2: OP.i64Extend16S, 4: OP.i64Extend32S };

export class Emitter
  extends ContextBase<Value, Condition>
  implements Context<Value, Condition, Vector>
{
  constructor(form: Form, writer: CodeWriter, runtime: Runtime, abortDepth: number) {
    super();
    this.form = form;
    this.w = writer;
    this.runtime = runtime;
    this.abortDepth = abortDepth;
    this.operandSize = form.operandSize;
    this.addressSize = form.addressSize;
    this.long = form.long;
    this.repeatPrefix = form.repeatPrefix;
    this.targetIsRelative = form.parsed.operands[0]?.place === "relative";
    this.memory = new MemoryEmitter(form, writer, runtime, () => this.abort());
  }
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly long: boolean;
  readonly repeatPrefix: "none" | "REP" | "REPNE";
  protected readonly targetIsRelative: boolean;
  private readonly form: Form;
  private readonly w: CodeWriter;
  private readonly runtime: Runtime;
  private readonly abortDepth: number;
  private readonly memory: MemoryEmitter;
  /** Pointer to the operand read for writing, and its local flag of being in the bounce buffer. */
  private modified: number | undefined;

  private abort(): void {
    this.w.branchTo(this.abortDepth);
  }

  /** Calls out when the row's checks might not pass; they are made in execute.ts. */
  emitChecks(): void {
    const { unit, intercept, cpl0, protectedOnly, exceptions, userExceptions } = this.form.row;
    const { w } = this;
    const load = (opcode: number, field: FieldName) =>
      w.get(CPU).memory(opcode, CPU_FIELDS[field].offset);
    const reasons = [
      (cpl0 || protectedOnly || exceptions) && (() => w.i32(1)),
      unit && (() => load(OP.i32Load, "unitTraps")),
      userExceptions && (() => load(OP.i32Load8U, "cpl")),
      intercept && (() => this.pushIntercepted(INTERCEPTS[intercept])),
    ].filter((each) => each !== undefined);
    if (reasons.length === 0) return;
    reasons.forEach((push, i) => {
      push();
      if (i > 0) w.op(OP.i32Or);
    });
    w.if();
    w.get(RECORD_AT).call(this.runtime.check).if();
    this.abort();
    w.end().end();
  }

  /** Leaves 1 in a guest whose VMCB has the bit set, else 0. */
  private pushIntercepted({ word, bit }: (typeof INTERCEPTS)[InterceptName]): void {
    const { w } = this;
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS[word].offset).i32(bit).op(OP.i32ShrU);
    w.get(CPU).memory(OP.i32Load8U, CPU_FIELDS.guestMode.offset).op(OP.i32And);
  }

  // ---- value plumbing ----
  private push1(value: Value): void {
    if ("local" in value) this.w.get(value.local);
    else this.w.i64(value.constant);
  }

  private take(): Value {
    const local = this.w.temporary(I64);
    this.w.set(local);
    return { local };
  }

  private takeCondition(): Condition {
    const condition = this.w.temporary(I32);
    this.w.set(condition);
    return { condition };
  }

  private takeVector(): Vector {
    const vector = this.w.temporary(V128);
    this.w.set(vector);
    return { vector };
  }

  private binary(opcode: number, a: Value, b: Value): Value {
    this.push1(a);
    this.push1(b);
    this.w.op(opcode);
    return this.take();
  }

  private unary(opcode: number, a: Value): Value {
    this.push1(a);
    this.w.op(opcode);
    return this.take();
  }

  private compare(opcode: number, a: Value, b: Value): Condition {
    this.push1(a);
    this.push1(b);
    this.w.op(opcode);
    return this.takeCondition();
  }

  constant(value: bigint | number): Value {
    return { constant: BigInt.asUintN(64, BigInt(value)) };
  }

  add(a: Value, b: Value): Value {
    return this.binary(OP.i64Add, a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.binary(OP.i64Sub, a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.binary(OP.i64Mul, a, b);
  }
  and(a: Value, b: Value): Value {
    return this.binary(OP.i64And, a, b);
  }
  or(a: Value, b: Value): Value {
    return this.binary(OP.i64Or, a, b);
  }
  xor(a: Value, b: Value): Value {
    return this.binary(OP.i64Xor, a, b);
  }
  not(a: Value): Value {
    return this.binary(OP.i64Xor, a, this.constant(-1));
  }
  shiftLeft(a: Value, amount: Value): Value {
    return this.binary(OP.i64Shl, a, amount);
  }
  shiftRight(a: Value, amount: Value): Value {
    return this.binary(OP.i64ShrU, a, amount);
  }
  shiftRightSigned(a: Value, amount: Value): Value {
    return this.binary(OP.i64ShrS, a, amount);
  }
  rotateLeft(a: Value, amount: Value): Value {
    return this.binary(OP.i64Rotl, a, amount);
  }
  rotateRight(a: Value, amount: Value): Value {
    return this.binary(OP.i64Rotr, a, amount);
  }
  divide(a: Value, b: Value): Value {
    return this.binary(OP.i64DivU, a, b);
  }
  remainder(a: Value, b: Value): Value {
    return this.binary(OP.i64RemU, a, b);
  }
  divideSigned(a: Value, b: Value): Value {
    return this.binary(OP.i64DivS, a, b);
  }
  remainderSigned(a: Value, b: Value): Value {
    return this.binary(OP.i64RemS, a, b);
  }
  countLeadingZeros(a: Value): Value {
    return this.unary(OP.i64Clz, a);
  }
  countTrailingZeros(a: Value): Value {
    return this.unary(OP.i64Ctz, a);
  }
  popCount(a: Value): Value {
    return this.unary(OP.i64Popcnt, a);
  }

  /** By 32-bit halves: hh + carries of (hl + lh + carry of ll). */
  multiplyHigh(a: Value, b: Value): Value {
    const low = (v: Value): Value => this.zeroExtend(v, 4);
    const high = (v: Value): Value => this.shiftRight(v, this.constant(32));
    const ll = this.mul(low(a), low(b));
    const hl = this.add(this.mul(high(a), low(b)), high(ll));
    const lh = this.add(this.mul(low(a), high(b)), low(hl));
    return this.add(this.add(this.mul(high(a), high(b)), high(hl)), high(lh));
  }

  multiplyHighSigned(a: Value, b: Value): Value {
    const sign = (v: Value): Value => this.shiftRightSigned(v, this.constant(63));
    const correction = this.add(this.and(sign(a), b), this.and(sign(b), a));
    return this.sub(this.multiplyHigh(a, b), correction);
  }

  signExtend(a: Value, fromBytes: Size): Value {
    return fromBytes === 8 ? a : this.unary(SIGN[fromBytes], a);
  }
  zeroExtend(a: Value, fromBytes: Size): Value {
    if (fromBytes === 8) return a;
    return this.and(a, this.constant((1n << BigInt(8 * fromBytes)) - 1n));
  }
  protected signShift16(a: Value): Value {
    return this.shiftRightSigned(a, this.constant(16));
  }

  equal(a: Value, b: Value): Condition {
    return this.compare(OP.i64Eq, a, b);
  }
  below(a: Value, b: Value): Condition {
    return this.compare(OP.i64LtU, a, b);
  }
  less(a: Value, b: Value): Condition {
    return this.compare(OP.i64LtS, a, b);
  }
  isZero(a: Value): Condition {
    this.push1(a);
    this.w.op(OP.i64Eqz);
    return this.takeCondition();
  }
  isNonZero(a: Value): Condition {
    return this.compare(OP.i64Ne, a, this.constant(0));
  }
  bit(a: Value, n: number): Condition {
    return this.isNonZero(this.and(a, this.constant(1n << BigInt(n))));
  }
  private combine(opcode: number, a: Condition, b: Condition): Condition {
    this.w.get(a.condition).get(b.condition).op(opcode);
    return this.takeCondition();
  }
  both(a: Condition, b: Condition): Condition {
    return this.combine(OP.i32And, a, b);
  }
  either(a: Condition, b: Condition): Condition {
    return this.combine(OP.i32Or, a, b);
  }
  negate(a: Condition): Condition {
    this.w.get(a.condition).op(OP.i32Eqz);
    return this.takeCondition();
  }
  toValue(a: Condition): Value {
    this.w.get(a.condition).op(OP.i64ExtendI32U);
    return this.take();
  }
  select(condition: Condition, ifTrue: Value, ifFalse: Value): Value {
    this.push1(ifTrue);
    this.push1(ifFalse);
    this.w.get(condition.condition).op(OP.select);
    return this.take();
  }
  when(condition: Condition, then: () => void, otherwise?: () => void): void {
    this.w.get(condition.condition).if();
    then();
    if (otherwise !== undefined) {
      this.w.else();
      otherwise();
    }
    this.w.end();
  }

  // ---- registers and fields ----
  private loadField(offset: number, opcode: number): Value {
    this.w.get(CPU).memory(opcode, offset);
    return this.take();
  }
  private storeField(offset: number, opcode: number, value: Value): void {
    this.w.get(CPU);
    this.push1(value);
    this.w.memory(opcode, offset);
  }
  protected field(name: WordField): Value {
    return this.loadField(CPU_FIELDS[name].offset, OP.i64Load);
  }
  protected setField(name: WordField, value: Value): void {
    this.storeField(CPU_FIELDS[name].offset, OP.i64Store, value);
  }
  protected byteField(name: "cpl"): Value {
    return this.loadField(CPU_FIELDS[name].offset, OP.i64Load8U);
  }
  /** As readTsc: the budget is one less with each instruction, as the ticks are one more. */
  timeStamp(): Value {
    const end = this.loadField(CPU_FIELDS.ticksAtSliceEnd.offset, OP.i64Load);
    const budget = this.loadField(CPU_FIELDS.budget.offset, OP.i64Load32U);
    return this.add(this.sub(end, budget), this.loadField(CPU_FIELDS.tscOffset.offset, OP.i64Load));
  }
  protected codeLimit(): Value {
    return this.loadField(CPU_FIELDS.cs.offset + 4, OP.i64Load32U);
  }
  protected setShadow(): void {
    this.storeField(CPU_FIELDS.interruptShadow.offset, OP.i64Store8, this.constant(1));
  }
  protected endSliceIf(condition: Condition | "interruptWaiting" | "always"): void {
    if (condition === "always") {
      this.w.call(this.runtime.endSlice);
      return;
    }
    if (condition === "interruptWaiting") {
      this.w.get(CPU).memory(OP.i32Load, CPU_FIELDS.interruptWaiting.offset);
    } else this.w.get(condition.condition);
    this.w.if().call(this.runtime.endSlice).end();
  }
  protected setNext(rip: Value): void {
    this.push1(rip);
    this.w.set(NEXT);
  }
  nextRip(): Value {
    this.w.get(NEXT);
    return this.take();
  }
  repeat(): void {
    this.w.get(CPU).memory(OP.i64Load, CPU_FIELDS.rip.offset).set(NEXT);
  }

  getRegister(name: GeneralRegister, size: Size): Value {
    return this.loadField(CPU_FIELDS[name].offset, LOAD[size]);
  }
  setRegister(name: GeneralRegister, size: Size, value: Value): void {
    const whole = size === 4;
    this.storeField(
      CPU_FIELDS[name].offset,
      whole ? OP.i64Store : STORE[size],
      whole ? this.zeroExtend(value, 4) : value,
    );
  }
  getAh(): Value {
    return this.loadField(CPU_FIELDS.rax.offset + 1, OP.i64Load8U);
  }
  setAh(value: Value): void {
    this.storeField(CPU_FIELDS.rax.offset + 1, OP.i64Store8, value);
  }

  // ---- operands ----
  private operand(i: number): Operand {
    const operand = this.form.parsed.operands[i];
    if (operand === undefined) throw new Error(`${this.form.row.mnemonic} has no operand ${i}`);
    return operand;
  }
  sizeOf(i: number): Size {
    return widthOf(this.operand(i), this.operandSize, this.long) as Size;
  }
  isMemory(i: number): boolean {
    const { place } = this.operand(i);
    if (place === "moffs" || place === "memory") return true;
    return place === "rm" && this.form.addressing === "modRm";
  }

  /** Leaves the address of a register operand's bytes in the CPU state on the stack. */
  private pushRegisterAddress(operand: Operand): void {
    if (operand.place === "fixed") {
      this.w
        .get(CPU)
        .i32((operand.register ?? 0) * 8)
        .op(OP.i32Add);
      return;
    }
    const at =
      operand.place === "reg" || operand.place === "opcode" ? RECORD.regOffset : RECORD.rmOffset;
    this.w.get(RECORD_AT).memory(OP.i32Load16U, at).get(CPU).op(OP.i32Add);
  }

  read(i: number): Value {
    const operand = this.operand(i);
    switch (operand.place) {
      case "one":
        return this.constant(1);
      case "immediate":
        return this.readImmediate(operand, i);
      case "relative":
        this.w.get(NEXT).get(RECORD_AT).memory(OP.i64Load, RECORD.immediate).op(OP.i64Add);
        return this.take();
      case "far":
        this.w.get(RECORD_AT).memory(OP.i64Load, RECORD.immediate);
        return this.take();
    }
    const size = this.sizeOf(i);
    if (this.isMemory(i)) this.memory.pushPointer("read", size);
    else this.pushRegisterAddress(operand);
    this.w.memory(LOAD[size]);
    return this.take();
  }

  /** Immediates are stored sign-extended; a second one (ENTER, INSERTQ) is above the first. */
  private readImmediate(operand: Operand, i: number): Value {
    const before = this.form.parsed.operands
      .slice(0, i)
      .filter((o) => o.place === "immediate")
      .reduce((bits, o) => bits + 8 * widthOf(o, this.operandSize, this.long), 0);
    this.w.get(RECORD_AT).memory(OP.i64Load, RECORD.immediate);
    const raw = this.take();
    const shifted = before === 0 ? raw : this.shiftRight(raw, this.constant(before));
    return this.zeroExtend(shifted, immediateWidth(operand, this.operandSize, this.long) as Size);
  }

  readForWrite(i: number): Value {
    if (!this.isMemory(i)) return this.read(i);
    const size = this.sizeOf(i);
    this.modified = this.memory.pointer("modify", size);
    this.w.get(this.modified).memory(LOAD[size]);
    return this.take();
  }

  write(i: number, value: Value): void {
    const operand = this.operand(i);
    const size = this.sizeOf(i);
    if (this.isMemory(i)) {
      this.modified ??= this.memory.pointer("write", size);
      this.w.get(this.modified);
      this.push1(value);
      this.w.memory(STORE[size]);
      this.memory.commit(this.modified);
      this.modified = undefined;
      return;
    }
    const whole = size === 4 && operand.file === "general";
    const stored = whole ? this.zeroExtend(value, 4) : value;
    this.pushRegisterAddress(operand);
    this.push1(stored);
    this.w.memory(whole ? OP.i64Store : STORE[size]);
  }

  offset(_i: number): Value {
    this.memory.pushOffset();
    return this.take();
  }

  displace(_i: number, bytes: Value): void {
    const local = this.w.temporary(I64);
    this.push1(bytes);
    this.w.set(local);
    this.memory.displacement = local;
  }

  // ---- memory ----
  private segmentNumber(segment: SegmentRegister | "operand"): number | "operand" {
    return segment === "operand" ? "operand" : SEGMENT_REGISTERS.indexOf(segment);
  }

  private explicitPointer(
    kind: AccessKind,
    segment: SegmentRegister | "operand",
    offset: Value,
    size: number,
  ): number {
    const local = this.w.temporary(I64);
    this.push1(offset);
    this.w.set(local);
    return this.memory.pointerAt(kind, this.segmentNumber(segment), local, size);
  }

  load(segment: SegmentRegister | "operand", offset: Value, size: Size): Value {
    this.w.get(this.explicitPointer("read", segment, offset, size)).memory(LOAD[size]);
    return this.take();
  }

  store(
    segment: SegmentRegister | "operand",
    offset: Value,
    size: Size,
    value: Value,
    check?: () => void,
  ): void {
    const pointer = this.explicitPointer("write", segment, offset, size);
    check?.();
    this.w.get(pointer);
    this.push1(value);
    this.w.memory(STORE[size]);
    this.memory.commit(pointer);
  }

  fault(exception: ExceptionName, errorCode = 0): void {
    this.w.i32(EXCEPTIONS[exception].vector).i32(errorCode).call(this.runtime.raise);
    this.abort();
  }

  // ---- 128-bit values ----
  readX(i: number, aligned = false): Vector {
    if (this.isMemory(i)) {
      if (aligned) this.memory.requireAlignment(16);
      this.memory.pushPointer("read", 16);
    } else this.pushRegisterAddress(this.operand(i));
    this.w.simdMemory(SIMD.load);
    return this.takeVector();
  }

  readForWriteX(i: number, aligned = false): Vector {
    if (!this.isMemory(i)) return this.readX(i);
    if (aligned) this.memory.requireAlignment(16);
    this.modified = this.memory.pointer("modify", 16);
    this.w.get(this.modified).simdMemory(SIMD.load);
    return this.takeVector();
  }

  writeX(i: number, value: Vector, aligned = false): void {
    if (!this.isMemory(i)) {
      this.pushRegisterAddress(this.operand(i));
      this.w.get(value.vector).simdMemory(SIMD.store);
      return;
    }
    if (this.modified === undefined && aligned) this.memory.requireAlignment(16);
    this.modified ??= this.memory.pointer("write", 16);
    this.w.get(this.modified).get(value.vector).simdMemory(SIMD.store);
    this.memory.commit(this.modified);
    this.modified = undefined;
  }

  lanes(operation: LaneOperation, a: Vector, b: Vector): Vector {
    this.w.get(a.vector).get(b.vector).simd(LANE_OPCODES[operation]);
    return this.takeVector();
  }

  constantX(value: bigint): Vector {
    this.w.simd(SIMD.const);
    for (let i = 0n; i < 16n; i++) this.w.op(Number((value >> (8n * i)) & 0xffn));
    return this.takeVector();
  }

  private lane(a: Vector, index: number): Value {
    this.w.get(a.vector).simd(SIMD.extractLane64).op(index);
    return this.take();
  }
  lowX(a: Vector): Value {
    return this.lane(a, 0);
  }
  highX(a: Vector): Value {
    return this.lane(a, 1);
  }

  makeX(low: Value, high: Value): Vector {
    this.push1(low);
    this.w.simd(SIMD.splat64);
    this.push1(high);
    this.w.simd(SIMD.replaceLane64).op(1);
    return this.takeVector();
  }

  shuffleX(a: Vector, b: Vector, indexes: readonly number[]): Vector {
    this.w
      .get(a.vector)
      .get(b.vector)
      .simd(SIMD.shuffle)
      .op(...indexes);
    return this.takeVector();
  }

  byteMask(a: Vector): Value {
    this.w.get(a.vector).simd(SIMD.bitmask8).op(OP.i64ExtendI32U);
    return this.take();
  }
}
