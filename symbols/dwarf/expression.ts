// Evaluates DWARF expressions (DWARF 5 section 2.5) to a location: its control and locations.
import type { FrameState, Location, Piece } from "../location.ts";
import { toBytes } from "../location.ts";
import { arithmetic, type StackType, type StackValue, Unavailable } from "./expression-stack.ts";
import { FormatError, Reader } from "./reader.ts";

/** What an expression is evaluated over. Functions that are left out make it unavailable. */
export interface ExpressionContext {
  readonly addressSize: 4 | 8;
  readonly offsetSize: 4 | 8;
  readonly state: FrameState;
  /** The value of DW_AT_frame_base, or why there is none. */
  frameBase?(): Location;
  /** The canonical frame address, or why there is none. */
  cfa?(): Location;
  /** What a register held when the function was entered. */
  entryValue?(register: number): bigint | undefined;
  /** An entry of the unit's part of .debug_addr. */
  addressAt?(index: number): bigint;
  /** The base type at an offset within the unit. */
  baseType?(offset: number): StackType | undefined;
  /** The expression of the entry at an offset within the unit (DW_OP_call2, DW_OP_call4). */
  callee?(offset: number): Uint8Array | undefined;
}

const MAX_STEPS = 10_000;
const MAX_CALLS = 8;

/**
 * The location that `expression` describes. Values on the stack before it starts are `initial`
 * (CFI pushes the CFA). Never throws for bad expressions: they are unavailable with a reason.
 */
export function evaluate(
  expression: Uint8Array,
  context: ExpressionContext,
  initial: readonly bigint[] = [],
): Location {
  if (expression.length === 0) return { kind: "unavailable", reason: "optimised out at this pc" };
  try {
    return new Evaluation(context, initial).run(expression);
  } catch (error) {
    if (error instanceof Unavailable) return { kind: "unavailable", reason: error.message };
    if (!(error instanceof FormatError)) throw error;
    return { kind: "unavailable", reason: `damaged debug information (${error.message})` };
  }
}

/** One evaluation: the stack, and what the expression has described so far. */
class Evaluation {
  private readonly context: ExpressionContext;
  private readonly generic: StackType;
  private readonly stack: StackValue[];
  private readonly pieces: Piece[] = [];
  /** Set by operations that name a place outright; ends the expression or its piece. */
  private described: Location | undefined;
  private steps = 0;
  private calls = 0;

  constructor(context: ExpressionContext, initial: readonly bigint[]) {
    this.context = context;
    this.generic = { size: context.addressSize, kind: "generic" };
    this.stack = initial.map((bits) => ({ bits, type: this.generic }));
  }

  run(expression: Uint8Array): Location {
    this.execute(expression);
    if (this.pieces.length > 0) return { kind: "pieces", pieces: this.pieces };
    return this.described ?? { kind: "memory", address: this.pop().bits };
  }

  private execute(expression: Uint8Array): void {
    const reader = new Reader(expression, "location expression");
    while (!reader.atEnd) {
      if (++this.steps > MAX_STEPS) throw reader.error("expression does not end");
      const op = reader.u8();
      if (this.constants(op, reader)) continue;
      if (this.registers(op, reader)) continue;
      if (this.memory(op, reader)) continue;
      if (this.control(op, reader)) continue;
      if (this.typed(op, reader)) continue;
      if (this.describe(op, reader)) continue;
      if (arithmetic(op, reader, this.stack)) continue;
      throw new Unavailable(
        `not available yet: location uses DWARF operation 0x${op.toString(16)}`,
      );
    }
  }

  private get slide(): bigint {
    return this.context.state.slide ?? 0n;
  }

  private constants(op: number, reader: Reader): boolean {
    const size = this.context.addressSize;
    if (op >= 0x30 && op <= 0x4f)
      this.push(BigInt(op - 0x30)); // lit0..lit31
    else if (op === 0x03)
      this.push(reader.unsigned(size) + this.slide); // addr
    else if (op === 0x08)
      this.push(reader.unsigned(1)); // const1u
    else if (op === 0x09)
      this.push(BigInt(reader.i8())); // const1s
    else if (op === 0x0a) this.push(reader.unsigned(2));
    else if (op === 0x0b) this.push(BigInt.asIntN(16, reader.unsigned(2)));
    else if (op === 0x0c) this.push(reader.unsigned(4));
    else if (op === 0x0d) this.push(BigInt.asIntN(32, reader.unsigned(4)));
    else if (op === 0x0e || op === 0x0f)
      this.push(reader.u64()); // const8u, const8s
    else if (op === 0x10)
      this.push(reader.uleb64()); // constu
    else if (op === 0x11)
      this.push(reader.sleb64()); // consts
    else if (op === 0xa1)
      this.push(this.indexed(reader.uleb()) + this.slide); // addrx
    else if (op === 0xa2)
      this.push(this.indexed(reader.uleb())); // constx
    else return false;
    return true;
  }

  private registers(op: number, reader: Reader): boolean {
    if (op >= 0x50 && op <= 0x6f) this.described = { kind: "register", register: op - 0x50 };
    else if (op === 0x90)
      this.described = { kind: "register", register: reader.uleb() }; // regx
    else if (op >= 0x70 && op <= 0x8f)
      this.push(this.register(op - 0x70) + reader.sleb64()); // breg
    else if (op === 0x92)
      this.push(this.register(reader.uleb()) + reader.sleb64()); // bregx
    else if (op === 0x91)
      this.push(this.frameBase() + reader.sleb64()); // fbreg
    else if (op === 0x9c) this.push(this.addressOf(this.context.cfa?.(), "frame address"));
    else return false;
    return true;
  }

  private memory(op: number, reader: Reader): boolean {
    if (op === 0x06)
      this.push(this.load(this.context.addressSize)); // deref
    else if (op === 0x94)
      this.push(this.load(reader.u8())); // deref_size
    else if (op === 0xa6 || op === 0xf6) {
      const size = reader.u8(); // deref_type
      const type = this.baseType(reader.uleb());
      this.stack.push({ bits: this.load(size), type });
    } else return false;
    return true;
  }

  private control(op: number, reader: Reader): boolean {
    if (op === 0x96) return true; // nop
    if (op === 0x2f)
      this.branch(reader, true); // skip
    else if (op === 0x28)
      this.branch(reader, this.pop().bits !== 0n); // bra
    else if (op === 0x98 || op === 0x99) {
      const callee = this.context.callee?.(op === 0x98 ? reader.u16() : reader.u32());
      if (!callee || ++this.calls > MAX_CALLS) throw new Unavailable("optimised out at this pc");
      this.execute(callee);
    } else return false;
    return true;
  }

  private branch(reader: Reader, taken: boolean): void {
    const distance = (reader.u16() << 16) >> 16;
    const target = reader.position + distance;
    if (!taken) return;
    if (target < 0 || target > reader.end) throw reader.error("branch out of the expression");
    reader.position = target;
  }

  /** Typed values of DWARF 5 and their GNU forerunners in DWARF 4. */
  private typed(op: number, reader: Reader): boolean {
    if (op === 0xa4 || op === 0xf4) {
      const type = this.baseType(reader.uleb()); // const_type
      const bytes = reader.block(reader.u8());
      const bits = new Reader(bytes, "constant").unsigned(Math.min(bytes.length, 8));
      this.stack.push({ bits, type });
    } else if (op === 0xa5 || op === 0xf5) {
      const bits = this.register(reader.uleb()); // regval_type
      const type = this.baseType(reader.uleb());
      this.stack.push({ bits: BigInt.asUintN(type.size * 8, bits), type });
    } else if (op === 0xa8 || op === 0xf7) this.convert(reader.uleb());
    else if (op === 0xa9 || op === 0xf9) {
      const { bits } = this.pop(); // reinterpret
      this.stack.push({ bits, type: this.typeOrGeneric(reader.uleb()) });
    } else return false;
    return true;
  }

  private convert(offset: number): void {
    const value = this.pop();
    const type = this.typeOrGeneric(offset);
    if (type.kind === "float" || value.type.kind === "float") {
      throw new Unavailable("not available yet: location converts a floating-point value");
    }
    const { size, kind } = value.type;
    const wide = kind === "signed" ? BigInt.asIntN(size * 8, value.bits) : value.bits;
    this.stack.push({ bits: BigInt.asUintN(type.size * 8, wide), type });
  }

  /** Operations that say what the value is, in place of where. */
  private describe(op: number, reader: Reader): boolean {
    if (op === 0x9f) {
      const { bits, type } = this.pop(); // stack_value
      this.described = { kind: "value", bytes: toBytes(bits, type.size) };
    } else if (op === 0x9e) {
      this.described = { kind: "value", bytes: reader.block(reader.uleb()) }; // implicit_value
    } else if (op === 0x93) this.piece(reader.uleb() * 8, 0);
    else if (op === 0x9d)
      this.piece(reader.uleb(), reader.uleb()); // bit_piece
    else if (op === 0xa3 || op === 0xf3) {
      this.push(this.entryValue(new Reader(reader.block(reader.uleb()), "entry value")));
    } else if (op === 0xa0 || op === 0xf2) {
      reader.offset(this.context.offsetSize); // implicit_pointer
      reader.sleb64();
      const reason = "optimised out: a pointer to a variable that has no address here";
      this.described = { kind: "unavailable", reason };
    } else if (op === 0xfa) {
      throw new Unavailable("not available yet: location uses DW_OP_GNU_parameter_ref");
    } else if (op === 0x9b || op === 0xe0) {
      throw new Unavailable("not available yet: thread-local storage");
    } else if (op !== 0xf0) return false; // GNU_uninit changes nothing that is read
    return true;
  }

  private piece(bits: number, bitOffset: number): void {
    let location = this.described;
    if (!location && this.stack.length > 0) location = { kind: "memory", address: this.pop().bits };
    location ??= { kind: "unavailable", reason: "this part is optimised out at this pc" };
    this.pieces.push({ location, bits, bitOffset });
    this.described = undefined;
  }

  private push(bits: bigint): void {
    this.stack.push({ bits: BigInt.asUintN(this.generic.size * 8, bits), type: this.generic });
  }

  private pop(): StackValue {
    const value = this.stack.pop();
    if (!value) throw new FormatError("location expression takes from an empty stack");
    return value;
  }

  private load(size: number): bigint {
    const address = this.pop().bits;
    if (size < 1 || size > 8) throw new Unavailable(`location reads a value of ${size} bytes`);
    const bytes = this.context.state.readMemory(address, size);
    if (bytes?.length !== size) {
      throw new Unavailable(`memory at 0x${address.toString(16)} cannot be read`);
    }
    return new Reader(bytes, "memory").unsigned(size);
  }

  private register(number: number): bigint {
    const value = this.context.state.register(number);
    if (value === undefined) throw new Unavailable("a register of its location is not known here");
    return value;
  }

  /** Of the operand only registers are supported: compilers write hardly anything else. */
  private entryValue(operand: Reader): bigint {
    const op = operand.u8();
    const register = op === 0x90 ? operand.uleb() : op >= 0x50 && op <= 0x6f ? op - 0x50 : -1;
    const value = register < 0 || !operand.atEnd ? undefined : this.context.entryValue?.(register);
    if (value !== undefined) return value;
    throw new Unavailable("optimised out: what it was at the function's entry is not known here");
  }

  private frameBase(): bigint {
    const base = this.context.frameBase?.();
    if (base?.kind === "register") return this.register(base.register);
    return this.addressOf(base, "frame base");
  }

  private addressOf(location: Location | undefined, what: string): bigint {
    if (location?.kind === "memory") return location.address;
    if (location?.kind === "unavailable") throw new Unavailable(location.reason);
    throw new Unavailable(`the ${what} of this function is not known`);
  }

  private indexed(index: number): bigint {
    const { addressAt } = this.context;
    if (!addressAt) throw new Unavailable("not available yet: location uses .debug_addr");
    return addressAt(index);
  }

  private typeOrGeneric(offset: number): StackType {
    return offset === 0 ? this.generic : this.baseType(offset);
  }

  private baseType(offset: number): StackType {
    const type = this.context.baseType?.(offset);
    if (!type) throw new FormatError("location expression names a type that is not there");
    return type;
  }
}
