/**
 * The part of the context that is the same however values are represented: flags, conditions, the
 * stack and jumps, written once over a few primitives. Both the evaluator and the emitter extend it.
 */

import type { SegmentRegister } from "../state/cpu-fields.ts";
import {
  AUXILIARY_BIT,
  CARRY_BIT,
  CARRY_INTO_TOP_BIT,
  Flag,
  flagMask,
  IOPL_SHIFT,
  PARITY_DELTA_SHIFT,
  SIGN_DELTA_BIT,
} from "../state/flags.ts";
import type { ExceptionName } from "../system/exceptions.ts";
import { CONDITIONS, type ConditionCode, type Size, type StatusFlag } from "./context.ts";

/** The 64-bit fields of CPU state that shared semantics touches. */
export type WordField =
  | "flagResult"
  | "flagCarries"
  | "flagsOther"
  | "rsp"
  | "stackMask"
  | "tscAux";

const TOP = 1n << CARRY_BIT;
const SECOND = 1n << CARRY_INTO_TOP_BIT;
const AUXILIARY = 1n << AUXILIARY_BIT;

export abstract class ContextBase<V, B> {
  abstract readonly operandSize: 2 | 4 | 8;
  abstract readonly long: boolean;
  abstract constant(value: bigint | number): V;
  abstract add(a: V, b: V): V;
  abstract sub(a: V, b: V): V;
  abstract and(a: V, b: V): V;
  abstract or(a: V, b: V): V;
  abstract xor(a: V, b: V): V;
  abstract not(a: V): V;
  abstract shiftLeft(a: V, amount: V): V;
  abstract shiftRight(a: V, amount: V): V;
  abstract popCount(a: V): V;
  abstract signExtend(a: V, fromBytes: Size): V;
  abstract zeroExtend(a: V, fromBytes: Size): V;
  abstract equal(a: V, b: V): B;
  abstract below(a: V, b: V): B;
  abstract less(a: V, b: V): B;
  abstract isZero(a: V): B;
  abstract isNonZero(a: V): B;
  abstract both(a: B, b: B): B;
  abstract either(a: B, b: B): B;
  abstract negate(a: B): B;
  abstract toValue(a: B): V;
  abstract when(condition: B, then: () => void, otherwise?: () => void): void;
  abstract fault(exception: ExceptionName, errorCode?: number): void;
  abstract load(segment: SegmentRegister | "operand", offset: V, size: Size): V;
  abstract store(
    segment: SegmentRegister | "operand",
    offset: V,
    size: Size,
    value: V,
    check?: () => void,
  ): void;

  // ---- primitives of the back ends ----
  protected abstract field(name: WordField): V;
  protected abstract setField(name: WordField, value: V): void;
  protected abstract byteField(name: "cpl"): V;
  protected abstract setShadow(): void;
  /** The current instruction must be the last of its slice when this holds. */
  protected abstract endSliceIf(condition: B | "interruptWaiting" | "always"): void;
  protected abstract setNext(rip: V): void;
  protected abstract codeLimit(): V;
  /** Whether the row's operand 0 is a displacement from the next instruction. */
  protected abstract readonly targetIsRelative: boolean;

  // ---- flags ----
  private storeFlags(result: V, size: Size, carries: V): void {
    this.setField("flagResult", this.signExtend(result, size));
    this.setField("flagCarries", carries);
  }

  /** A vector of carries out of each bit, with the two top ones moved to bits 63 and 62. */
  private placeCarries(vector: V, size: Size): V {
    const top = size === 8 ? vector : this.shiftLeft(vector, this.constant(64 - 8 * size));
    const low = size === 8 ? top : vector;
    return size === 8
      ? this.and(vector, this.constant(TOP | SECOND | AUXILIARY))
      : this.or(
          this.and(top, this.constant(TOP | SECOND)),
          this.and(low, this.constant(AUXILIARY)),
        );
  }

  private carriesOfAdd(a: V, b: V, sum: V): V {
    return this.or(this.and(a, b), this.and(this.or(a, b), this.not(sum)));
  }

  private carriesOfSubtract(a: V, b: V, difference: V): V {
    const notA = this.not(a);
    return this.or(this.and(notA, b), this.and(this.or(notA, b), difference));
  }

  flagsOfAdd(a: V, b: V, sum: V, size: Size): void {
    this.storeFlags(sum, size, this.placeCarries(this.carriesOfAdd(a, b, sum), size));
  }

  flagsOfSubtract(a: V, b: V, difference: V, size: Size): void {
    const vector = this.carriesOfSubtract(a, b, difference);
    this.storeFlags(difference, size, this.placeCarries(vector, size));
  }

  flagsOfLogic(result: V, size: Size): void {
    this.storeFlags(result, size, this.constant(0));
  }

  /** New carries with CF taken from the old ones and OF, AF from the new. */
  private keepCarry(carries: V): V {
    const old = this.and(this.field("flagCarries"), this.constant(TOP));
    const overflow = this.overflowTop(carries);
    return this.or(
      this.or(old, this.shiftRight(this.xor(old, overflow), this.constant(1))),
      this.and(carries, this.constant(AUXILIARY)),
    );
  }

  /** OF of a carries word, in bit 63 alone. */
  private overflowTop(carries: V): V {
    const both = this.xor(carries, this.shiftLeft(carries, this.constant(1)));
    return this.and(both, this.constant(TOP));
  }

  flagsOfIncrement(before: V, after: V, size: Size): void {
    const vector = this.carriesOfAdd(before, this.constant(1), after);
    this.storeFlags(after, size, this.keepCarry(this.placeCarries(vector, size)));
  }

  flagsOfDecrement(before: V, after: V, size: Size): void {
    const vector = this.carriesOfSubtract(before, this.constant(1), after);
    this.storeFlags(after, size, this.keepCarry(this.placeCarries(vector, size)));
  }

  flagsOfResult(result: V, size: Size, carry: B, overflow: B, auxiliary: B): void {
    const cf = this.toValue(carry);
    const into = this.xor(cf, this.toValue(overflow));
    const carries = this.or(
      this.or(
        this.shiftLeft(cf, this.constant(CARRY_BIT)),
        this.shiftLeft(into, this.constant(CARRY_INTO_TOP_BIT)),
      ),
      this.shiftLeft(this.toValue(auxiliary), this.constant(AUXILIARY_BIT)),
    );
    this.storeFlags(result, size, carries);
  }

  /** SF in bit 63; other bits are noise. */
  private signTop(): V {
    const delta = this.shiftLeft(this.field("flagCarries"), this.constant(63n - SIGN_DELTA_BIT));
    return this.xor(this.field("flagResult"), delta);
  }

  getFlag(flag: StatusFlag): B {
    const zero = this.constant(0);
    switch (flag) {
      case "CF":
        return this.less(this.field("flagCarries"), zero);
      case "OF":
        return this.less(this.overflowTop(this.field("flagCarries")), zero);
      case "ZF":
        return this.isZero(this.field("flagResult"));
      case "SF":
        return this.less(this.signTop(), zero);
      case "AF":
        return this.isNonZero(this.and(this.field("flagCarries"), this.constant(AUXILIARY)));
      case "PF": {
        const delta = this.shiftRight(this.field("flagCarries"), this.constant(PARITY_DELTA_SHIFT));
        const low = this.and(this.xor(this.field("flagResult"), delta), this.constant(0xff));
        return this.isZero(this.and(this.popCount(low), this.constant(1)));
      }
    }
  }

  private lessFlag(): B {
    return this.less(
      this.xor(this.signTop(), this.overflowTop(this.field("flagCarries"))),
      this.constant(0),
    );
  }

  condition(code: ConditionCode): B {
    const index = CONDITIONS.indexOf(code);
    const base = this.evenCondition(index >> 1);
    return (index & 1) === 1 ? this.negate(base) : base;
  }

  private evenCondition(pair: number): B {
    switch (pair) {
      case 0:
        return this.getFlag("OF");
      case 1:
        return this.getFlag("CF");
      case 2:
        return this.getFlag("ZF");
      case 3:
        return this.either(this.getFlag("CF"), this.getFlag("ZF"));
      case 4:
        return this.getFlag("SF");
      case 5:
        return this.getFlag("PF");
      case 6:
        return this.lessFlag();
      default:
        return this.either(this.getFlag("ZF"), this.lessFlag());
    }
  }

  statusWord(): V {
    let word = this.constant(2);
    for (const flag of ["CF", "PF", "AF", "ZF", "SF", "OF"] as const) {
      const value = this.toValue(this.getFlag(flag));
      word = this.or(word, this.shiftLeft(value, this.constant(Flag[flag])));
    }
    return word;
  }

  setStatusWord(value: V): void {
    const bit = (flag: StatusFlag): V =>
      this.and(this.shiftRight(value, this.constant(Flag[flag])), this.constant(1));
    const place = (v: V, at: bigint): V => this.shiftLeft(v, this.constant(at));
    const one = this.constant(1);
    const zf = bit("ZF");
    // flagResult is 0 or 1, whose parity is even exactly when it is 0.
    const result = this.xor(zf, one);
    const parity = this.xor(bit("PF"), zf);
    const carries = this.or(
      this.or(
        place(bit("CF"), CARRY_BIT),
        place(this.xor(bit("CF"), bit("OF")), CARRY_INTO_TOP_BIT),
      ),
      this.or(
        place(bit("AF"), AUXILIARY_BIT),
        this.or(place(parity, PARITY_DELTA_SHIFT), place(bit("SF"), SIGN_DELTA_BIT)),
      ),
    );
    this.setField("flagResult", result);
    this.setField("flagCarries", carries);
  }

  setFlags(flags: Partial<Record<StatusFlag, B>>): void {
    const names = Object.keys(flags) as StatusFlag[];
    if (names.length === 1 && flags.CF !== undefined) {
      this.setCarry(flags.CF);
      return;
    }
    let mask = 0n;
    let word = this.constant(0);
    for (const name of names) {
      const value = flags[name];
      if (value === undefined) continue;
      mask |= flagMask(name);
      word = this.or(word, this.shiftLeft(this.toValue(value), this.constant(Flag[name])));
    }
    const kept = this.and(this.statusWord(), this.constant(BigInt.asUintN(64, ~mask)));
    this.setStatusWord(this.or(kept, word));
  }

  private setCarry(carry: B): void {
    const old = this.field("flagCarries");
    const top = this.shiftLeft(this.toValue(carry), this.constant(CARRY_BIT));
    const into = this.shiftRight(this.xor(top, this.overflowTop(old)), this.constant(1));
    const rest = this.and(old, this.constant(BigInt.asUintN(64, ~(TOP | SECOND))));
    this.setField("flagCarries", this.or(this.or(top, into), rest));
  }

  otherFlags(): V {
    return this.field("flagsOther");
  }

  setOtherFlags(value: V): void {
    this.setField("flagsOther", this.or(value, this.constant(2)));
    this.endSliceIf("interruptWaiting");
    this.endSliceIf(this.isNonZero(this.and(value, this.constant(1 << Flag.TF))));
  }

  shadowInterrupts(): void {
    this.setShadow();
    this.endSliceIf("always");
  }

  cpl(): V {
    return this.byteField("cpl");
  }

  timeStampAuxiliary(): V {
    return this.field("tscAux");
  }

  iopl(): V {
    const shifted = this.shiftRight(this.field("flagsOther"), this.constant(IOPL_SHIFT));
    return this.and(shifted, this.constant(3));
  }

  // ---- stack ----
  private movedStack(bytes: number): V {
    const moved = this.add(this.field("rsp"), this.constant(BigInt.asUintN(64, BigInt(bytes))));
    return this.long ? moved : this.and(moved, this.field("stackMask"));
  }

  private commitStack(offset: V): void {
    if (this.long) {
      this.setField("rsp", offset);
      return;
    }
    const kept = this.and(this.field("rsp"), this.not(this.field("stackMask")));
    this.setField("rsp", this.or(kept, offset));
  }

  push(value: V, size: 2 | 4 | 8, check?: () => void): void {
    const offset = this.movedStack(-size);
    this.store("ss", offset, size, value, check);
    this.commitStack(offset);
  }

  peek(size: 2 | 4 | 8): V {
    return this.load("ss", this.movedStack(0), size);
  }

  moveStack(bytes: number): void {
    this.commitStack(this.movedStack(bytes));
  }

  // ---- control ----
  faultIf(condition: B, exception: ExceptionName, errorCode?: number): void {
    this.when(condition, () => this.fault(exception, errorCode));
  }

  /**
   * The target must be canonical, or within CS (APM volume 2, section 4.7.2 and 5.3.1). A relative
   * target in 64-bit mode is left to the fetch, which raises the same #GP at the target.
   */
  jump(target: V): void {
    const rip = this.operandSize === 8 ? target : this.zeroExtend(target, this.operandSize);
    if (this.long) {
      if (!this.targetIsRelative) {
        const up = this.shiftLeft(rip, this.constant(16));
        const canonical = this.equal(this.signShift16(up), rip);
        this.faultIf(this.negate(canonical), "GP");
      }
    } else {
      this.faultIf(this.below(this.codeLimit(), rip), "GP");
    }
    this.setNext(rip);
  }

  protected abstract signShift16(a: V): V;

  jumpIf(condition: B, target: V): void {
    this.when(condition, () => this.jump(target));
  }
}
