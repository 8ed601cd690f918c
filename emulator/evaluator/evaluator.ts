/**
 * The context that carries semantics out at once on bigint values: runs complex rows, and checks the
 * generated code in tests.
 */
import type { Instruction } from "../decode/instruction.ts";
import { immediateWidth, type Operand, widthOf } from "../decode/operands.ts";
import type { Execution } from "../execution.ts";
import type { LaneOperation, Size } from "../instructions/context.ts";
import { ContextBase, type WordField } from "../instructions/context-base.ts";
import { CPU_FIELDS, type GeneralRegister, type SegmentRegister } from "../state/cpu-fields.ts";
import { type ExceptionName, GuestFault } from "../system/exceptions.ts";
import { checkAccess } from "../system/segment-access.ts";
import { readTsc } from "../system/time-stamp.ts";
import type { Vcpu } from "../vcpu.ts";
import { laneOperation } from "./lanes.ts";

const mask = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);

/** What the evaluator needs of the machine beside the CPU. */
export interface EvaluatorHost {
  readonly cpu: Vcpu;
  /** The current instruction is the last of its slice. */
  endSlice(): void;
  /** The bytes of the current instruction. */
  instructionBytes(length: number): Uint8Array;
}

export class Evaluator extends ContextBase<bigint, boolean> implements Execution {
  constructor(host: EvaluatorHost) {
    super();
    this.host = host;
    this.cpu = host.cpu;
    this.view = new DataView(host.cpu.physical.memory.buffer);
  }
  readonly cpu: Vcpu;
  private readonly host: EvaluatorHost;
  private readonly view: DataView;
  private current!: Instruction;
  private displacedBy = 0n;

  /** Runs the semantics of one instruction at rip; nextRip is set. May throw GuestFault or InterceptExit. */
  evaluate(instruction: Instruction): void {
    this.begin(instruction);
    const { row } = instruction.form;
    if (row.complex !== undefined) row.complex(this);
    else row.semantics?.(this);
  }

  /** Makes this the current instruction, with nextRip behind it. */
  begin(instruction: Instruction): void {
    this.current = instruction;
    this.displacedBy = 0n;
    const { state } = this.cpu;
    state.nextRip = wrap(state.rip + BigInt(instruction.length));
  }

  get operandSize(): 2 | 4 | 8 {
    return this.current.form.operandSize;
  }
  get addressSize(): 2 | 4 | 8 {
    return this.current.form.addressSize;
  }
  get long(): boolean {
    return this.current.form.long;
  }
  get repeatPrefix(): "none" | "REP" | "REPNE" {
    return this.current.form.repeatPrefix;
  }
  protected get targetIsRelative(): boolean {
    return this.current.form.parsed.operands[0]?.place === "relative";
  }
  get rip(): bigint {
    return this.cpu.state.rip;
  }
  get length(): number {
    return this.current.length;
  }
  get bytes(): Uint8Array {
    return this.host.instructionBytes(this.current.length);
  }
  get operandSegment(): SegmentRegister {
    return this.current.segment;
  }
  get stackBits(): 16 | 32 | 64 {
    if (this.long) return 64;
    return this.cpu.state.stackMask === 0xffffn ? 16 : 32;
  }

  // ---- values ----
  constant(value: bigint | number): bigint {
    return wrap(BigInt(value));
  }
  add(a: bigint, b: bigint): bigint {
    return wrap(a + b);
  }
  sub(a: bigint, b: bigint): bigint {
    return wrap(a - b);
  }
  mul(a: bigint, b: bigint): bigint {
    return wrap(a * b);
  }
  and(a: bigint, b: bigint): bigint {
    return a & b;
  }
  or(a: bigint, b: bigint): bigint {
    return a | b;
  }
  xor(a: bigint, b: bigint): bigint {
    return a ^ b;
  }
  not(a: bigint): bigint {
    return wrap(~a);
  }
  shiftLeft(a: bigint, amount: bigint): bigint {
    return wrap(a << (amount & 63n));
  }
  shiftRight(a: bigint, amount: bigint): bigint {
    return a >> (amount & 63n);
  }
  shiftRightSigned(a: bigint, amount: bigint): bigint {
    return wrap(signed(a) >> (amount & 63n));
  }
  protected signShift16(a: bigint): bigint {
    return this.shiftRightSigned(a, 16n);
  }
  rotateLeft(a: bigint, amount: bigint): bigint {
    const n = amount & 63n;
    return wrap((a << n) | (a >> (64n - n)));
  }
  rotateRight(a: bigint, amount: bigint): bigint {
    return this.rotateLeft(a, 64n - (amount & 63n));
  }
  divide(a: bigint, b: bigint): bigint {
    return a / b;
  }
  remainder(a: bigint, b: bigint): bigint {
    return a % b;
  }
  divideSigned(a: bigint, b: bigint): bigint {
    return wrap(signed(a) / signed(b));
  }
  remainderSigned(a: bigint, b: bigint): bigint {
    return wrap(signed(a) % signed(b));
  }
  multiplyHigh(a: bigint, b: bigint): bigint {
    return (a * b) >> 64n;
  }
  multiplyHighSigned(a: bigint, b: bigint): bigint {
    return wrap((signed(a) * signed(b)) >> 64n);
  }
  countLeadingZeros(a: bigint): bigint {
    return a === 0n ? 64n : BigInt(64 - a.toString(2).length);
  }
  countTrailingZeros(a: bigint): bigint {
    if (a === 0n) return 64n;
    let n = 0n;
    while (((a >> n) & 1n) === 0n) n++;
    return n;
  }
  popCount(a: bigint): bigint {
    let n = 0n;
    for (let rest = a; rest !== 0n; rest &= rest - 1n) n++;
    return n;
  }
  signExtend(a: bigint, fromBytes: Size): bigint {
    return wrap(BigInt.asIntN(8 * fromBytes, a));
  }
  zeroExtend(a: bigint, fromBytes: Size): bigint {
    return a & mask(fromBytes);
  }

  // ---- conditions ----
  equal(a: bigint, b: bigint): boolean {
    return a === b;
  }
  below(a: bigint, b: bigint): boolean {
    return a < b;
  }
  less(a: bigint, b: bigint): boolean {
    return signed(a) < signed(b);
  }
  isZero(a: bigint): boolean {
    return a === 0n;
  }
  isNonZero(a: bigint): boolean {
    return a !== 0n;
  }
  bit(a: bigint, n: number): boolean {
    return ((a >> BigInt(n)) & 1n) === 1n;
  }
  both(a: boolean, b: boolean): boolean {
    return a && b;
  }
  either(a: boolean, b: boolean): boolean {
    return a || b;
  }
  negate(a: boolean): boolean {
    return !a;
  }
  toValue(a: boolean): bigint {
    return a ? 1n : 0n;
  }
  select(condition: boolean, ifTrue: bigint, ifFalse: bigint): bigint {
    return condition ? ifTrue : ifFalse;
  }
  when(condition: boolean, then: () => void, otherwise?: () => void): void {
    if (condition) then();
    else otherwise?.();
  }

  // ---- registers ----
  protected field(name: WordField): bigint {
    return this.cpu.state[name];
  }
  protected setField(name: WordField, value: bigint): void {
    this.cpu.state[name] = value;
  }
  protected byteField(name: "cpl"): bigint {
    return BigInt(this.cpu.state[name]);
  }
  timeStamp(): bigint {
    return readTsc(this.cpu);
  }
  protected codeLimit(): bigint {
    return BigInt(this.cpu.state.cs.limit);
  }
  protected setShadow(): void {
    this.cpu.state.interruptShadow = 1;
  }
  protected endSliceIf(condition: boolean | "interruptWaiting" | "always"): void {
    const holds =
      condition === "interruptWaiting" ? this.cpu.state.interruptWaiting !== 0 : condition;
    if (holds) this.host.endSlice();
  }
  protected setNext(rip: bigint): void {
    this.cpu.state.nextRip = rip;
  }
  setNextRip(rip: bigint): void {
    this.cpu.state.nextRip = rip;
  }
  nextRip(): bigint {
    return this.cpu.state.nextRip;
  }
  repeat(): void {
    this.cpu.state.nextRip = this.cpu.state.rip;
  }
  getRegister(name: GeneralRegister, size: Size): bigint {
    return this.readBytes(CPU_FIELDS[name].offset, size);
  }
  setRegister(name: GeneralRegister, size: Size, value: bigint): void {
    this.writeRegister(CPU_FIELDS[name].offset, size, value);
  }
  getAh(): bigint {
    return this.readBytes(CPU_FIELDS.rax.offset + 1, 1);
  }
  setAh(value: bigint): void {
    this.writeBytes(CPU_FIELDS.rax.offset + 1, 1, value);
  }

  private readBytes(offset: number, size: number): bigint {
    const at = this.cpu.state.base + offset;
    switch (size) {
      case 1:
        return BigInt(this.view.getUint8(at));
      case 2:
        return BigInt(this.view.getUint16(at, true));
      case 4:
        return BigInt(this.view.getUint32(at, true));
      default:
        return this.view.getBigUint64(at, true);
    }
  }
  private writeBytes(offset: number, size: number, value: bigint): void {
    const at = this.cpu.state.base + offset;
    switch (size) {
      case 1:
        this.view.setUint8(at, Number(value & 0xffn));
        break;
      case 2:
        this.view.setUint16(at, Number(value & 0xffffn), true);
        break;
      case 4:
        this.view.setUint32(at, Number(value & 0xffff_ffffn), true);
        break;
      default:
        this.view.setBigUint64(at, wrap(value), true);
    }
  }
  private writeRegister(offset: number, size: number, value: bigint): void {
    if (size === 4) this.writeBytes(offset, 8, value & 0xffff_ffffn);
    else this.writeBytes(offset, size, value);
  }

  // ---- operands ----
  private operand(i: number): Operand {
    const operand = this.current.form.parsed.operands[i];
    if (operand === undefined) {
      throw new Error(`${this.current.form.row.mnemonic} has no operand ${i}`);
    }
    return operand;
  }
  sizeOf(i: number): Size {
    return widthOf(this.operand(i), this.operandSize, this.long) as Size;
  }
  isMemory(i: number): boolean {
    const { place } = this.operand(i);
    if (place === "moffs" || place === "memory") return true;
    return place === "rm" && this.current.form.addressing === "modRm";
  }
  private registerOffset(operand: Operand): number {
    if (operand.place === "fixed") return (operand.register ?? 0) * 8;
    const reg = operand.place === "reg" || operand.place === "opcode";
    return reg ? this.current.regOffset : this.current.rmOffset;
  }
  registerNumber(i: number): number {
    const operand = this.operand(i);
    if (operand.place === "fixed") return operand.register ?? 0;
    const reg = operand.place === "reg" || operand.place === "opcode";
    if (operand.file === "x87") return this.current.rmNumber & 7;
    return reg ? this.current.regNumber : this.current.rmNumber;
  }
  segmentOf(_i: number): SegmentRegister {
    return this.current.segment;
  }

  read(i: number): bigint {
    const operand = this.operand(i);
    switch (operand.place) {
      case "one":
        return 1n;
      case "immediate":
        return this.readImmediate(operand, i);
      case "relative":
        return wrap(this.nextRip() + this.current.immediate);
      case "far":
        return this.current.immediate;
    }
    const size = this.sizeOf(i);
    if (this.isMemory(i)) return this.loadOperand(i, 0, size);
    return this.readBytes(this.registerOffset(operand), size);
  }
  private readImmediate(operand: Operand, i: number): bigint {
    const before = this.current.form.parsed.operands
      .slice(0, i)
      .filter((o) => o.place === "immediate")
      .reduce((bits, o) => bits + 8 * widthOf(o, this.operandSize, this.long), 0);
    const width = immediateWidth(operand, this.operandSize, this.long);
    return (wrap(this.current.immediate) >> BigInt(before)) & mask(width);
  }
  readForWrite(i: number): bigint {
    if (this.isMemory(i)) {
      const size = this.sizeOf(i);
      const linear = checkAccess(this.cpu.state, this.current.segment, this.offset(i), size, true);
      return this.cpu.mmu.readForWrite(linear, size);
    }
    return this.read(i);
  }
  write(i: number, value: bigint): void {
    const operand = this.operand(i);
    const size = this.sizeOf(i);
    if (this.isMemory(i)) this.storeOperand(i, 0, size, value & mask(size));
    else if (operand.file === "general") {
      this.writeRegister(this.registerOffset(operand), size, value);
    } else this.writeBytes(this.registerOffset(operand), size, value);
  }
  offset(_i: number): bigint {
    const { form, rmOffset, indexOffset, scale, displacement, immediate } = this.current;
    if (form.addressing === "moffs") return immediate;
    const base = this.readBytes(rmOffset, 8);
    const index = this.readBytes(indexOffset, 8) << BigInt(scale);
    return (base + index + BigInt(displacement) + this.displacedBy) & mask(form.addressSize);
  }
  displace(_i: number, bytes: bigint): void {
    this.displacedBy = bytes;
  }
  linearOf(i: number): bigint {
    const segment = this.current.segment;
    const { form } = this.current;
    const base = form.based ? this.cpu.state[segment].base : 0n;
    const linear = base + this.offset(i);
    return form.long ? wrap(linear) : linear & 0xffff_ffffn;
  }
  loadOperand(i: number, displacement: number, size: number): bigint {
    return this.loadAt(this.current.segment, this.displaced(i, displacement), size);
  }
  storeOperand(i: number, displacement: number, size: number, value: bigint): void {
    this.storeAt(this.current.segment, this.displaced(i, displacement), size, value);
  }
  private displaced(i: number, displacement: number): bigint {
    return (this.offset(i) + BigInt(displacement)) & mask(this.addressSize);
  }

  // ---- memory ----
  private named(segment: SegmentRegister | "operand"): SegmentRegister {
    return segment === "operand" ? this.current.segment : segment;
  }
  private loadAt(segment: SegmentRegister, offset: bigint, size: number): bigint {
    const linear = checkAccess(this.cpu.state, segment, offset, size, false);
    if (size <= 8) return this.cpu.mmu.read(linear, size);
    const low = this.cpu.mmu.read(linear, 8);
    return low | (this.cpu.mmu.read(wrap(linear + 8n), size - 8) << 64n);
  }
  private storeAt(
    segment: SegmentRegister,
    offset: bigint,
    size: number,
    value: bigint,
    check?: () => void,
  ): void {
    const linear = checkAccess(this.cpu.state, segment, offset, size, true);
    if (check !== undefined) {
      this.cpu.mmu.probeWrite(linear, size);
      check();
    }
    if (size <= 8) {
      this.cpu.mmu.write(linear, size, value & mask(size));
      return;
    }
    this.cpu.mmu.probeWrite(linear, size);
    this.cpu.mmu.write(linear, 8, wrap(value));
    this.cpu.mmu.write(wrap(linear + 8n), size - 8, (value >> 64n) & mask(size - 8));
  }
  load(segment: SegmentRegister | "operand", offset: bigint, size: Size): bigint {
    return this.loadAt(this.named(segment), offset, size);
  }
  store(
    segment: SegmentRegister | "operand",
    offset: bigint,
    size: Size,
    value: bigint,
    check?: () => void,
  ): void {
    this.storeAt(this.named(segment), offset, size, value, check);
  }
  fault(exception: ExceptionName, errorCode = 0): never {
    throw new GuestFault(exception, errorCode);
  }

  // ---- 128-bit values ----
  private requireAlignment(i: number): void {
    if ((this.linearOf(i) & 15n) !== 0n) throw new GuestFault("GP", 0);
  }
  readX(i: number, aligned = false): bigint {
    if (this.isMemory(i)) {
      if (aligned) this.requireAlignment(i);
      return this.loadOperand(i, 0, 16);
    }
    const at = this.registerOffset(this.operand(i));
    return this.readBytes(at, 8) | (this.readBytes(at + 8, 8) << 64n);
  }
  readForWriteX(i: number, aligned = false): bigint {
    if (this.isMemory(i)) {
      if (aligned) this.requireAlignment(i);
      const linear = checkAccess(this.cpu.state, this.current.segment, this.offset(i), 16, true);
      this.cpu.mmu.probeWrite(linear, 16);
      const low = this.cpu.mmu.readForWrite(linear, 8);
      return low | (this.cpu.mmu.readForWrite(wrap(linear + 8n), 8) << 64n);
    }
    return this.readX(i);
  }
  writeX(i: number, value: bigint, aligned = false): void {
    if (this.isMemory(i)) {
      if (aligned) this.requireAlignment(i);
      this.storeOperand(i, 0, 16, value);
      return;
    }
    const at = this.registerOffset(this.operand(i));
    this.writeBytes(at, 8, wrap(value));
    this.writeBytes(at + 8, 8, wrap(value >> 64n));
  }
  lanes(operation: LaneOperation, a: bigint, b: bigint): bigint {
    return laneOperation(operation, a, b);
  }
  constantX(value: bigint): bigint {
    return BigInt.asUintN(128, value);
  }
  lowX(a: bigint): bigint {
    return wrap(a);
  }
  highX(a: bigint): bigint {
    return a >> 64n;
  }
  makeX(low: bigint, high: bigint): bigint {
    return low | (high << 64n);
  }
  shuffleX(a: bigint, b: bigint, indexes: readonly number[]): bigint {
    const both = a | (b << 128n);
    return indexes.reduce(
      (value, from, to) => value | (((both >> BigInt(8 * from)) & 0xffn) << BigInt(8 * to)),
      0n,
    );
  }
  byteMask(a: bigint): bigint {
    let bits = 0n;
    for (let i = 0n; i < 16n; i++) bits |= ((a >> (8n * i + 7n)) & 1n) << i;
    return bits;
  }
}
