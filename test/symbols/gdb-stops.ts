// What gdb sees while it steps a fixture program, and a frame state made of it.
import { join } from "node:path";
import { readElf } from "../../symbols/elf.ts";
import type { FrameState } from "../../symbols/location.ts";
import type { RegisterSet } from "../../symbols/registers.ts";
import { type Built, fixtures, run } from "./toolchain.ts";

export interface GdbVariable {
  readonly name: string;
  readonly type: string;
  /** Scalars by path; null where optimised out, "error ..." where gdb cannot read it. */
  readonly values: Readonly<Record<string, string | null>>;
}

export interface GdbFrame {
  readonly name: string;
  readonly pc: string;
  readonly inlined: boolean;
  readonly line: number;
  readonly variables: readonly GdbVariable[];
}

export interface GdbStop {
  readonly pc: string;
  readonly registers: Readonly<Record<string, string>>;
  readonly memory: readonly (readonly [string, string])[];
  /** Innermost first, inlined ones on their own. */
  readonly frames: readonly GdbFrame[];
}

/** Steps the program under gdb, `stride` instructions between two of at most `steps` stops. */
export function gdbStops(built: Built, steps: number, stride: number): GdbStop[] {
  const ranges = readElf(built.bytes, built.path)
    .sections.filter((each) => each.flags & 2n && each.size > 0)
    .map((each) => `(${each.address},${each.size})`);
  const text = run("gdb", [
    "-batch",
    "-nx",
    ...["-ex", `set $steps=${steps}`, "-ex", `set $stride=${stride}`],
    ...["-ex", `python data_ranges=[${ranges.join(",")}]`],
    ...["-ex", `source ${join(fixtures, "observe.py")}`, built.path],
  ]);
  return text
    .split("\n")
    .filter((line) => line.startsWith("STOP "))
    .map((line) => JSON.parse(line.slice(5)) as GdbStop);
}

/** The innermost frame of a stop. */
export function stateOf(stop: GdbStop, registers: RegisterSet): FrameState {
  const ranges = stop.memory.map(([start, data]) => {
    return { start: BigInt(start), bytes: new Uint8Array(Buffer.from(data, "hex")) };
  });
  return {
    register(number) {
      const value = stop.registers[registers.names[number] ?? "-"];
      return value === undefined ? undefined : BigInt(value);
    },
    readMemory(address, length) {
      for (const { start, bytes } of ranges) {
        const offset = address - start;
        if (offset < 0n || offset + BigInt(length) > BigInt(bytes.length)) continue;
        return bytes.subarray(Number(offset), Number(offset) + length);
      }
      return undefined;
    },
  };
}
