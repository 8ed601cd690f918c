// Unwinds one frame by call frame information.
import { type ExpressionContext, evaluate } from "./dwarf/expression.ts";
import type { CallFrames, FrameRules, RegisterRule } from "./dwarf/frame.ts";
import { FormatError } from "./dwarf/reader.ts";
import { type FrameState, fromBytes, type Location } from "./location.ts";
import type { RegisterSet } from "./registers.ts";

/** The frame that called, or why there is none to be had. */
export type Unwound =
  | {
      readonly kind: "caller";
      /** Where the caller goes on. Look up its source and variables at `pc - 1`, the call. */
      readonly pc: bigint;
      /** Canonical frame address of the frame that was unwound. */
      readonly cfa: bigint;
      readonly state: FrameState;
      /** `pc` was interrupted there and is itself the instruction to look up. */
      readonly isSignalFrame: boolean;
    }
  /** The outermost frame: its return address is undefined. */
  | { readonly kind: "end" }
  | { readonly kind: "unavailable"; readonly reason: string };

const NO_RULES = "no call frame information describes this pc";

export class Unwinder {
  private readonly frames: CallFrames;
  private readonly registers: RegisterSet;
  private readonly addressSize: 4 | 8;

  constructor(frames: CallFrames, registers: RegisterSet, addressSize: 4 | 8) {
    this.frames = frames;
    this.registers = registers;
    this.addressSize = addressSize;
  }

  /** The canonical frame address of the frame at `pc`: the stack pointer before its call. */
  cfaAt(pc: bigint, state: FrameState): Location {
    if (state.cfa !== undefined) return { kind: "memory", address: state.cfa };
    try {
      const rules = this.frames.rulesAt(pc);
      return rules ? this.cfa(rules, state) : { kind: "unavailable", reason: NO_RULES };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { kind: "unavailable", reason: error.message };
    }
  }

  /** The caller of the frame at `pc`. Never throws. */
  unwind(pc: bigint, state: FrameState): Unwound {
    try {
      const rules = this.frames.rulesAt(pc);
      return rules ? this.caller(rules, state) : { kind: "unavailable", reason: NO_RULES };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { kind: "unavailable", reason: error.message };
    }
  }

  private caller(rules: FrameRules, state: FrameState): Unwound {
    const place = this.cfa(rules, state);
    if (place.kind === "unavailable") return place;
    if (place.kind !== "memory") return { kind: "unavailable", reason: "bad frame address rule" };
    const cfa = place.address;
    const { returnAddressRegister, isSignalFrame } = rules;
    if (rules.registers.get(returnAddressRegister)?.kind === "undefined") return { kind: "end" };
    const known = new Map<number, bigint | undefined>();
    const register = (number: number) => {
      if (!known.has(number)) known.set(number, this.recover(rules, cfa, number, state));
      return known.get(number);
    };
    const pc = register(returnAddressRegister);
    if (pc === undefined) return { kind: "unavailable", reason: "its return address is not known" };
    const readMemory = (address: bigint, length: number) => state.readMemory(address, length);
    const keptAt = (number: number) => this.keptAt(rules, cfa, number, state);
    return { kind: "caller", pc, cfa, isSignalFrame, state: { register, readMemory, keptAt } };
  }

  /** Where recover() finds a register of the caller; undefined for one that is computed. */
  private keptAt(rules: FrameRules, cfa: bigint, number: number, state: FrameState) {
    const rule: RegisterRule | undefined = rules.registers.get(number);
    switch (rule?.kind) {
      case undefined: {
        const isKept = rules.isSignalFrame || this.registers.preserved.has(number);
        return isKept && number !== this.registers.stackPointer
          ? state.keptAt?.(number)
          : undefined;
      }
      case "same":
        return state.keptAt?.(number);
      case "register":
        return state.keptAt?.(rule.register);
      case "offset":
        return this.wrap(cfa + rule.offset);
      default:
        return undefined;
    }
  }

  private cfa(rules: FrameRules, state: FrameState): Location {
    const rule = rules.cfa;
    if (rule.kind === "expression") return evaluate(rule.expression, this.context(state));
    const base = state.register(rule.register);
    if (base === undefined) {
      return { kind: "unavailable", reason: "the register of its frame address is not known" };
    }
    return { kind: "memory", address: this.wrap(base + rule.offset) };
  }

  /** A register of the caller; undefined where the callee did not keep it. */
  private recover(rules: FrameRules, cfa: bigint, number: number, state: FrameState) {
    const rule: RegisterRule | undefined = rules.registers.get(number);
    switch (rule?.kind) {
      case undefined:
        if (number === this.registers.stackPointer) return cfa;
        if (rules.isSignalFrame || this.registers.preserved.has(number))
          return state.register(number);
        return undefined;
      case "undefined":
        return undefined;
      case "same":
        return state.register(number);
      case "offset":
        return this.load(this.wrap(cfa + rule.offset), state);
      case "valueOffset":
        return this.wrap(cfa + rule.offset);
      case "register":
        return state.register(rule.register);
      case "expression":
      case "valueExpression": {
        const location = evaluate(rule.expression, this.context(state), [cfa]);
        if (location.kind !== "memory") return undefined;
        return rule.kind === "expression" ? this.load(location.address, state) : location.address;
      }
    }
  }

  private load(address: bigint, state: FrameState): bigint | undefined {
    const bytes = state.readMemory(address, this.addressSize);
    return bytes?.length === this.addressSize ? fromBytes(bytes) : undefined;
  }

  private context(state: FrameState): ExpressionContext {
    return { addressSize: this.addressSize, offsetSize: 4, state };
  }

  private wrap(address: bigint): bigint {
    return BigInt.asUintN(this.addressSize * 8, address);
  }
}
