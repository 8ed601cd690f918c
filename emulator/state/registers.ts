/** All registers of a CPU by name, as numbers: what two states can be told apart by. */
import type { CpuState, Segment } from "./cpu-state.ts";
import { STATE_FIELDS } from "./field-bytes.ts";
import { getRflags } from "./flags.ts";

/** RFLAGS is kept in these. */
const FLAG_WORDS: ReadonlySet<string> = new Set(["flagResult", "flagCarries", "flagsOther"]);
const SEGMENT_PARTS = ["selector", "attributes", "limit", "base"] as const;
const SIGN_EXPONENT_SHIFT = 64n;

/** Every field of machine state, and rflags whole; a segment register is four numbers: cs.selector, cs.base. */
export function allRegisters(state: CpuState): Map<string, bigint> {
  const registers = new Map<string, bigint>();
  for (const { name } of STATE_FIELDS) {
    if (name === "flagResult") registers.set("rflags", getRflags(state));
    if (FLAG_WORDS.has(name)) continue;
    const value = state[name];
    if (typeof value !== "object") registers.set(name, BigInt(value));
    else if ("significand" in value) {
      const { significand, signExponent } = value;
      registers.set(name, (BigInt(signExponent) << SIGN_EXPONENT_SHIFT) | significand);
    } else setParts(registers, name, value);
  }
  return registers;
}

function setParts(registers: Map<string, bigint>, name: string, segment: Segment): void {
  for (const part of SEGMENT_PARTS) registers.set(`${name}.${part}`, BigInt(segment[part]));
}
