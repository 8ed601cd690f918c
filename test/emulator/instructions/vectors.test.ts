/** Replays what the host CPU did with every integer row. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { StatusFlag } from "../../../emulator/instructions/context.ts";
import type { Row } from "../../../emulator/instructions/row.ts";
import { Flag } from "../../../emulator/state/flags.ts";
import {
  COMPARED_FLAGS,
  formatVectors,
  parseVectors,
  type Vector,
} from "../../harness/host-oracle/vector.ts";
import { type Outcome, type Tier, TwoPageCpu } from "./two-page-cpu.ts";

const compressed = readFileSync(new URL("../../vectors/integer.txt.gz", import.meta.url));
const VECTORS = parseVectors(gunzipSync(Uint8Array.from(compressed)).toString());

const TIERS: readonly Tier[] = ["evaluated", "compiled", "compiledSlow"];

/**
 * Flags that the manual leaves undefined and that come out as on AMD's CPUs all the same: compared,
 * since among them is OF of a counted shift by one, which is defined.
 */
const AS_AMD: readonly [instructions: RegExp, flags: readonly StatusFlag[]][] = [
  [/^(OR|AND|XOR|TEST)$/, ["AF"]],
  [/^(ROL|ROR|RCL|RCR|SHL|SHR|SAR)$/, ["OF"]],
  [/^(MUL|IMUL|BT|BTS|BTR|BTC)$/, ["OF", "SF", "ZF", "AF", "PF"]],
  [/^(DIV|IDIV|AAM)$/, ["CF", "OF"]],
];

function definedFlags(row: Row | undefined): bigint {
  const agreed = AS_AMD.find(([names]) => names.test(row?.mnemonic ?? ""))?.[1] ?? [];
  const undefinedFlags = (row?.undefinedFlags ?? []).filter((flag) => !agreed.includes(flag));
  return undefinedFlags.reduce((mask, flag) => mask & ~(1n << BigInt(Flag[flag])), COMPARED_FLAGS);
}

function same(expected: Vector, actual: Outcome, flags: bigint): boolean {
  if (expected.exception !== actual.exception) return false;
  // After a fault, the flags are as they were: RF, which the host sets, is not compared.
  return (
    (expected.exception !== undefined || expected.rip === actual.rip) &&
    ((expected.after.flags ^ actual.after.flags) & flags) === 0n &&
    expected.after.registers.every((value, i) => value === actual.after.registers[i]) &&
    expected.after.memory.every((value, i) => value === actual.after.memory[i])
  );
}

/** The vector as recorded and as it came out. */
function difference(expected: Vector, actual: Outcome): string {
  return formatVectors(["host, then ours:"], [expected, { ...expected, ...actual }]);
}

describe("integer vectors of the host CPU", () => {
  const cpu = new TwoPageCpu();

  it("decode to the row that they were made from", () => {
    const wrong = VECTORS.filter((vector) => {
      const instruction = cpu.decode(vector);
      return instruction === undefined
        ? vector.exception !== 6
        : instruction.length !== vector.code.length;
    });
    expect(formatVectors(["wrongly decoded:"], wrong.slice(0, 5))).toBe("# wrongly decoded:\n");
  });

  it.each(TIERS)("give the same registers, flags and memory, %s", (tier) => {
    const mismatches = new Map<string, string>();
    for (const vector of VECTORS) {
      const instruction = cpu.decode(vector);
      const actual = cpu.replay(vector, instruction, tier);
      const flags = definedFlags(instruction?.form.row);
      if (!same(vector, actual, flags) && !mismatches.has(vector.row)) {
        mismatches.set(vector.row, difference(vector, actual));
      }
    }
    expect([...mismatches.values()].join("")).toBe("");
  });
});
