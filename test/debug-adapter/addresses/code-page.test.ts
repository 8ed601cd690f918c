// Disassembly of random bytes in every code size: exact counts, no gaps, windows that agree.

import { beforeAll, describe, expect, test } from "vitest";
import { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { disassemble } from "../../../debug-adapter/disassembly.ts";
import { Images } from "../../../debug-adapter/images.ts";
import type { LaunchConfiguration } from "../../../debug-adapter/launch-arguments.ts";
import { IcedDisassembler } from "../../../debug-adapter/node/iced-disassembler.ts";
import { Machine } from "../../../emulator/index.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";

const RAM_BYTES = 0x10_0000;
const seed = testSeed(40_000);
const CS_LONG = 0x200;
const CS_BIG = 0x400;

function makeDebuggee(bits: 16 | 32 | 64): Debuggee {
  const machine = new Machine({ ramBytes: RAM_BYTES });
  const { state } = machine;
  state.efer = bits === 64 ? 1n << 10n : 0n;
  state.cs.attributes = 0x9b | (bits === 64 ? CS_LONG : bits === 32 ? CS_BIG : 0);
  return new Debuggee(machine, new Images([]), {} as LaunchConfiguration);
}

describe.each([16, 32, 64] as const)("%i-bit code", (bits) => {
  const disassembler = new IcedDisassembler();
  const next = randomFraction(seed + bits);
  const debuggee = makeDebuggee(bits);
  const { memory } = debuggee.machine;
  beforeAll(() => {
    const bytes = Uint8Array.from({ length: RAM_BYTES }, () => Math.floor(next() * 256));
    memory.poke(0, bytes);
  });
  const rowsAt = (address: number | bigint, skip: number, count: number) =>
    disassemble(
      debuggee,
      disassembler,
      { space: { kind: "hpa" }, address: BigInt(address) },
      skip,
      count,
    );
  const shown = (rows: ReturnType<typeof rowsAt>) =>
    rows.map(({ address, text, bytes }) => `${address.toString(16)} ${bytes.length} ${text}`);

  test(`windows of one reference agree, without gaps (seed ${seed})`, () => {
    for (let i = 0; i < 25; i++) {
      const at = 0x4000 + Math.floor(next() * (RAM_BYTES - 0x8000));
      const whole = rowsAt(at, -400, 800);
      expect(whole.length).toBe(800);
      expect(whole[400]?.address).toBe(BigInt(at));
      whole.slice(1).forEach((row, k) => {
        const before = whole[k] as (typeof whole)[0];
        expect(row.address).toBe(before.address + BigInt(before.bytes.length));
      });
      for (let k = 0; k < 8; k++) {
        const from = Math.floor(next() * 700);
        const count = Math.floor(next() * (800 - from));
        expect(shown(rowsAt(at, from - 400, count))).toEqual(
          shown(whole.slice(from, from + count)),
        );
      }
    }
  });

  test("every row as a reference sees the same rows", () => {
    for (let i = 0; i < 12; i++) {
      const at = 0x4000 + Math.floor(next() * (RAM_BYTES - 0x8000));
      const whole = rowsAt(at, -300, 600);
      // The page of the first reference may be cut by it: the pages beside it are everybody's.
      const others = whole.filter(({ address }) => address >> 12n !== BigInt(at >> 12));
      for (let k = 0; k < 6; k++) {
        const other = others[Math.floor(next() * others.length)];
        if (other === undefined || !other.isValid) continue;
        const index = whole.indexOf(other);
        const seen = rowsAt(other.address, -index, 600);
        const mine = (row: (typeof whole)[0]) => row.address >> 12n === other.address >> 12n;
        expect(shown(seen.filter(mine))).toEqual(
          shown(whole.filter(mine)).slice(0, seen.filter(mine).length),
        );
      }
    }
  });

  test("the edges of memory and of the address space", () => {
    for (const [at, skip] of [
      [0, -40],
      [3, -40],
      [RAM_BYTES - 3, -10],
      [RAM_BYTES + 5, -10],
      [(1n << 64n) - 1n, -10],
      [1n << 52n, -10],
    ] as const) {
      const rows = rowsAt(at, skip, 80);
      expect(rows.length).toBe(80);
      expect(rows[-skip]?.address).toBe(BigInt(at));
      expect(rows.every((row, i) => i === 0 || row.address > (rows[i - 1]?.address ?? 0n))).toBe(
        true,
      );
    }
    expect(rowsAt(0, -100_000, 3).map(({ address }) => address)).toEqual([
      -100_000n,
      -99_999n,
      -99_998n,
    ]);
    expect(rowsAt(0x8000, 0, 0)).toEqual([]);
  });

  // 64-bit code cannot run without tables; the session tests have it.
  if (bits === 64) return;
  test("code that was executed keeps its boundaries, whatever lies before it", () => {
    // A run of NOPs and HLT behind bytes that decode across its start.
    const start = 0x5003;
    memory.poke(start - 2, Uint8Array.of(0xb8, 0x11, 0x90, 0x90, 0x90, 0xf4));
    const { state } = debuggee.machine;
    state.cr0 = bits === 16 ? 0n : 1n;
    state.cs.base = 0n;
    state.cs.limit = 0xffff_ffff;
    debuggee.machine.cpu.deriveMode();
    state.rip = BigInt(start);
    debuggee.machine.run({ instructions: 2 });
    const rows = rowsAt(start + 20, -40, 60);
    for (const at of [start, start + 1]) {
      expect(rows.find(({ address }) => address === BigInt(at))?.text).toBe("nop");
    }
  });
});
