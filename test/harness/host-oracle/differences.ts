/** Where AMD's and Intel's CPUs differ in integer instructions, and which side this machine takes. */

import type { Vector } from "./vector.ts";

export interface Difference {
  readonly instructions: RegExp;
  readonly what: string;
  readonly amd: string;
  readonly intel: string;
  readonly ours: "AMD";
  /** Whether a vector (of a row that matches) could show it: not recorded on other makers' CPUs. */
  readonly concerns: (vector: Vector) => boolean;
}

const hasPrefix = (vector: Vector, prefix: number): boolean =>
  vector.code.slice(0, 4).includes(prefix);

const always = (): boolean => true;

const DIFFERENCES: readonly Difference[] = [
  {
    instructions: /^BS[FR] /,
    what: "source of 0",
    amd: "destination unchanged, all 64 bits of it",
    intel: "destination undefined (newer manuals: unchanged)",
    ours: "AMD",
    concerns: always,
  },
  {
    instructions: /^SH[LR]D /,
    what: "16-bit operands, count over 16",
    amd: "the second operand follows itself; CF = 0",
    intel: "result undefined (the operands are rotated through one another)",
    ours: "AMD",
    concerns: (vector) => hasPrefix(vector, 0x66),
  },
  {
    instructions: /^(J\w+|CALL|RET|LOOP\w*) /,
    what: "66 prefix in 64-bit mode",
    amd: "operand size 16: rip is truncated to 16 bits, displacements and pushes are 16-bit",
    intel: "ignored",
    ours: "AMD",
    concerns: (vector) => vector.bits === 64 && hasPrefix(vector, 0x66),
  },
  {
    instructions: /^CMPXCHG /,
    what: "32-bit register destination that does not compare equal",
    amd: "destination left alone, upper half too",
    intel: "upper half of the destination zeroed",
    ours: "AMD",
    concerns: always,
  },
  {
    instructions: /^PREFETCH .*0F 0D/,
    what: "register form of 0F 0D",
    amd: "#UD",
    intel: "NOP",
    ours: "AMD",
    concerns: (vector) => vector.exception !== undefined,
  },
];

/** Whether the CPU makers disagree on a vector. */
export function makersDiffer(vector: Vector): boolean {
  return DIFFERENCES.some((d) => d.instructions.test(`${vector.row} `) && d.concerns(vector));
}
