// The compiled interpreter against the evaluator: the same images and random programs, the same state
// hash at many instants.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Tier } from "../../../emulator/engine.ts";
import { loadKernel } from "../../../emulator/loader/load-kernel.ts";
import { Machine } from "../../../emulator/machine.ts";
import { GENERAL_REGISTERS } from "../../../emulator/state/cpu-fields.ts";
import { LONG_MODE_GUEST, MINVISOR_ELF, SAMPLE_GUEST } from "../../../scripts/build-minvisor.mjs";
import { Random } from "../../harness/random.ts";
import { bytesOf, shapesOf } from "../decode/row-bytes.ts";
import { CODE, type Mode, Rig, WINDOW } from "../machine/rig.ts";

const SEED = 4242;
/** MinVisor places itself at 256 MiB. */
const RAM = 320 * 2 ** 20;

const file = (name: string): { name: string; bytes: Uint8Array } => ({
  name,
  bytes: Uint8Array.from(readFileSync(name)),
});

/** Both tiers with the same image. */
function pair(kernel: string, modules: readonly string[]): [Machine, Machine] {
  const image = loadKernel({
    kernel: file(kernel),
    modules: modules.map(file),
    ramBytes: RAM,
  });
  const make = (tier: Tier): Machine => {
    const machine = new Machine({ ramBytes: RAM, tier });
    machine.load(image);
    return machine;
  };
  return [make("compiled"), make("evaluated")];
}

/** Runs both until they end or the instructions are used up, comparing every `step` instructions. */
function compare([a, b]: [Machine, Machine], instructions: number, step: number): string {
  for (;;) {
    const left = instructions - a.icount;
    if (left <= 0) return "budget";
    const results = [a, b].map((machine) => machine.run({ instructions: Math.min(step, left) }));
    expect(results[1]).toEqual(results[0]);
    expect(b.icount).toBe(a.icount);
    expect(b.stateHash(), `at ${a.icount}`).toBe(a.stateHash());
    const reason = results[0]?.reason ?? "";
    if (reason !== "budget") return reason;
  }
}

describe("images", () => {
  test("the long-mode guest", () => {
    const machines = pair(LONG_MODE_GUEST, []);
    compare(machines, 200_000, 2_003);
    expect(machines[0].icount).toBeGreaterThan(50);
  });

  test("the sample guest under MinVisor", () => {
    const machines = pair(MINVISOR_ELF, [SAMPLE_GUEST]);
    compare(machines, 300_000, 10_007);
    expect(machines[0].state.exitCount).toBeGreaterThan(10);
  });
});

/** Watches code, stack, tables and data by linear address; gives the number of events so far. */
function watchLinearPages(rig: Rig, mode: Mode): () => number {
  let events = 0;
  const { mmu } = rig.machine.cpu;
  for (let page = 0n; page < 0x10_0000n; page += 0x1000n) mmu.watchLinear(page);
  if (mode === "long") for (let i = 0n; i < 4n; i++) mmu.watchLinear(WINDOW + i * 0x1000n);
  rig.machine.observe({
    name: "watch",
    on: {
      linearAccess: () => {
        events++;
        return undefined;
      },
    },
  });
  return () => events;
}

/** Rows that leave a straight line for long, or that wait. */
const LEFT_OUT = new Set(["HLT", "VMRUN", "SYSRET", "SYSEXIT", "IRET", "RETF"]);

describe(`random programs, seed ${SEED}`, () => {
  test.each(["long", "protected32", "protected16"] as const)("%s", (mode) => {
    const random = new Random(SEED + mode.length);
    const rigs = (["compiled", "evaluated", "watched"] as const).map((kind) => {
      const rig = new Rig(mode, kind === "watched" ? "compiled" : kind);
      for (let i = 0; i < 4; i++) rig.map(i, 0x2_0000 + i * 0x1000);
      return rig;
    });
    const told = watchLinearPages(rigs[2] as Rig, mode);
    const bits = mode === "long" ? 64 : mode === "protected32" ? 32 : 16;
    const choices = rigs[0]?.machine.cpu.engine.decoder.parsedRows.flatMap((parsed) =>
      shapesOf(parsed)
        .filter((shape) => shape.bits === bits && !LEFT_OUT.has(parsed.row.mnemonic))
        .map((shape) => ({ parsed, shape })),
    );
    const snapshots = rigs.map((rig) => rig.machine.snapshot());
    const base = mode === "long" ? WINDOW : 0x2000n * 6n;
    for (let program = 0; program < 150; program++) {
      const picks = Array.from({ length: 24 }, () => random.pick(choices ?? []));
      const bytes = picks.flatMap(({ parsed, shape }) => bytesOf(parsed, shape, random));
      const values = GENERAL_REGISTERS.map((name) =>
        ["rsi", "rdi", "rbp", "rbx", "rsp"].includes(name)
          ? base + BigInt(random.below(0x2000) + 0x800)
          : BigInt.asUintN(bits, random.value(8)),
      );
      rigs.forEach((rig, i) => {
        const snapshot = snapshots[i];
        if (snapshot !== undefined) rig.machine.restore(snapshot);
        rig.machine.memory.poke(CODE, Uint8Array.from(bytes));
        GENERAL_REGISTERS.forEach((name, n) => {
          rig.state[name] = values[n] ?? 0n;
        });
        rig.exceptions.length = 0;
      });
      const text = Buffer.from(bytes).toString("hex");
      for (let n = 0; n < 8; n++) {
        const [a, b, watched] = rigs.map((rig) => [
          rig.run(4),
          rig.lastException,
          rig.machine.stateHash(),
        ]);
        expect(b, `${text} after ${n * 4}`).toEqual(a);
        expect(watched, `${text} after ${n * 4}, watched`).toEqual(a);
      }
    }
    expect(told()).toBeGreaterThan(1000);
  });
});
