// What gdb sees while it steps a fixture program, and a frame state made of it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { readElf } from "../../symbols/elf.ts";
import type { FrameState } from "../../symbols/location.ts";
import type { RegisterSet } from "../../symbols/registers.ts";
import { type Built, fixtures } from "./toolchain.ts";

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
  const settings = { steps: `${steps}`, stride: `${stride}` };
  const lines = gdbLines(built, join(fixtures, "observe.py"), settings);
  return lines.map((line) => JSON.parse(line) as GdbStop);
}

/**
 * Runs a Python script of ours in gdb with the program, and has what it prints behind "RESULT ".
 * The script has `start()`, the variable `data_ranges` and those of `settings`, in Python.
 */
export function gdbLines(
  built: Built,
  script: string,
  settings: Readonly<Record<string, string>>,
): string[] {
  const ranges = readElf(built.bytes, built.path)
    .sections.filter((each) => each.flags & 2n && each.size > 0)
    .map((each) => `(${each.address},${each.size})`);
  const variables = Object.entries({ ...settings, data_ranges: `[${ranges.join(",")}]` });
  const commands = [
    `python ${variables.map(([name, value]) => `${name}=${value}`).join(";")}`,
    `source ${join(fixtures, "start.py")}`,
    `source ${script}`,
  ];
  const { stdout, stderr } = spawnSync(
    "gdb",
    ["-batch", "-nx", ...commands.flatMap((each) => ["-ex", each]), built.path],
    {
      ...{ encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] },
      ...{ timeout: 120_000, killSignal: "SIGKILL" },
    },
  );
  const lines = (stdout ?? "").split("\n").filter((line) => line.startsWith("RESULT "));
  if (lines.length === 0) throw new Error(`gdb could not run ${built.name}: ${stderr}`);
  return lines.map((line) => line.slice(7));
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
