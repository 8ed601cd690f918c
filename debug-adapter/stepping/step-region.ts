/** The instructions through which a step can run at full speed, and the places at which it has to look. */
import type { CodeBits, DecodedInstruction } from "../services.ts";

/** What the exploration asks about the code around the CPU. */
export interface RegionCode {
  readonly bits: CodeBits;
  /** Undefined where it cannot be read. */
  instructionAt(linear: bigint): DecodedInstruction | undefined;
  /** Whether the step may be over at that instruction. */
  endsAt(linear: bigint): boolean;
  /** Whether the call at that address is to be entered, or looked at. */
  looksInto(call: bigint): boolean;
}

/** Code of one step, found by following its branches from one instruction. */
export interface StepRegion {
  /**
   * How far the stack pointer stands above where it stood at the first instruction, at each
   * instruction through which the step runs.
   */
  readonly inside: ReadonlyMap<bigint, number>;
  /** The same for the places where it has to stop: ways out, and instructions that are stepped singly. */
  readonly outside: ReadonlyMap<bigint, number>;
}

const MOST_INSTRUCTIONS = 2000;
const MOST_OUTSIDE = 64;

/** The region around `start`; undefined where the code is too odd or too branched to wait around it. */
export function stepRegion(code: RegionCode, start: bigint): StepRegion | undefined {
  const inside = new Map<bigint, number>();
  const outside = new Map<bigint, number>();
  const waiting: [bigint, number][] = [[start, 0]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [linear, height] = next;
    const known = inside.get(linear) ?? outside.get(linear);
    // Two ways with two heights: code that pushes in a loop has no one stack pointer.
    if (known !== undefined && known !== height) return undefined;
    if (known !== undefined) continue;
    const ways = inside.size < MOST_INSTRUCTIONS ? waysOn(code, linear) : undefined;
    if (ways === undefined) outside.set(linear, height);
    else {
      inside.set(linear, height);
      for (const to of ways.to) waiting.push([to, height + ways.raises]);
    }
    if (outside.size > MOST_OUTSIDE) return undefined;
  }
  return inside.has(start) ? { inside, outside } : undefined;
}

interface Ways {
  readonly to: readonly bigint[];
  /** By how much the instruction raises the stack pointer. */
  readonly raises: number;
}

/** Where an instruction goes on; undefined where the step ends or it has to be stepped singly. */
function waysOn(code: RegionCode, linear: bigint): Ways | undefined {
  if (code.endsAt(linear)) return undefined;
  const instruction = code.instructionAt(linear);
  if (instruction === undefined || !instruction.isValid) return undefined;
  const { flow, mnemonic, target } = instruction;
  const behind = linear + BigInt(instruction.length);
  switch (flow) {
    case "next": {
      const raises = stackChange(instruction, code.bits);
      return raises === undefined ? undefined : { to: [behind], raises };
    }
    case "jump":
      if (target === undefined) return undefined;
      return { to: mnemonic === "jmp" ? [target] : [target, behind], raises: 0 };
    case "call":
      // A call of the next instruction pushes its address, and nothing returns.
      if (mnemonic !== "call" || target === behind || code.looksInto(linear)) return undefined;
      return { to: [behind], raises: 0 };
    default:
      return undefined;
  }
}

const STACK_POINTER = /%[re]?sp$/;
/** They move the stack pointer by more than an operand's width, or by what memory says. */
const ODD = /^(leave|enter|pusha|popa|pushf|popf)/;

/** By how much an instruction without a branch raises the stack pointer; undefined where it is not known. */
function stackChange({ mnemonic, text }: DecodedInstruction, bits: CodeBits): number | undefined {
  if (ODD.test(mnemonic)) return undefined;
  if (mnemonic === "push" || mnemonic === "pop") {
    if (!hasFullWidth(text, bits)) return undefined;
    return mnemonic === "push" ? -bits / 8 : bits / 8;
  }
  if (mnemonic === "xchg" && /%[re]?sp\b/.test(text.replace(/\(.*?\)/g, ""))) return undefined;
  if (!STACK_POINTER.test(text)) return 0;
  const by = /^(add|sub)[lq]? \$(-?0x[0-9a-f]+|-?\d+),%[re]sp$/i.exec(text);
  if (by === null) return undefined;
  const value = Number(by[2]?.replace("-", "")) * (by[2]?.startsWith("-") ? -1 : 1);
  if (!(Math.abs(value) < 2 ** 31)) return undefined;
  return by[1] === "add" ? value : -value;
}

/** Whether a PUSH or POP moves one general-purpose register, constant or word of the code's own width. */
function hasFullWidth(text: string, bits: CodeBits): boolean {
  const [, suffix, operand] = /^(?:push|pop)(\w*) (.*)$/.exec(text) ?? [];
  if (operand === undefined || STACK_POINTER.test(operand)) return false;
  if (operand.startsWith("%")) return (bits === 64 ? /^%r/ : /^%e(?!s$)/).test(operand);
  if (operand.startsWith("$")) return suffix === "";
  return suffix === (bits === 64 ? "q" : "l");
}
