// RDTSC and RDTSCP on both tiers: the ticks before the instruction, however the run is cut into slices.
import { describe, expect, test } from "vitest";
import type { Tier } from "../../../emulator/engine.ts";
import { CR4 } from "../../../emulator/system/mode.ts";
import { Random } from "../../harness/random.ts";
import { GUEST_CODE, GuestRig } from "./guest-rig.ts";
import { Rig } from "./rig.ts";

const SEED = 3107;
const STAMPS = 0x1_a000;
const READS = ["0f31", "0f01f9"];
const TIERS: readonly Tier[] = ["compiled", "evaluated"];

interface Program {
  readonly code: string;
  /** Instructions before each time stamp that is stored. */
  readonly before: readonly number[];
}

/** Stores time stamps at STAMPS, with NOPs and POPFs, which end slices, between them; ends in HLT. */
function program(random: Random): Program {
  let code = "bf00a00100"; // mov edi, STAMPS
  let count = 1;
  const before: number[] = [];
  const add = (bytes: string, instructions: number): void => {
    code += bytes;
    count += instructions;
  };
  for (let i = 0; i < 30; i++) {
    const nops = random.below(4);
    add("90".repeat(nops), nops);
    if (random.below(3) === 0) add("9c9d", 2); // pushf; popf
    before.push(count);
    add(`${random.pick(READS)}890783c704`, 3); // rdtsc; mov [rdi], eax; add edi, 4
  }
  return { code: `${code}f4`, before };
}

function stampsOf(rig: Rig, slice: number, count: number): number[] {
  while (rig.state.halted === 0) rig.run(slice);
  return Array.from({ length: count }, (_, i) => Number(rig.read(STAMPS + i * 4, 4)));
}

describe.each(TIERS)("%s", (tier) => {
  test(`slices of any size (seed ${SEED})`, () => {
    const random = new Random(SEED);
    for (let round = 0; round < 10; round++) {
      const { code, before } = program(random);
      for (const slice of [1, 2 + random.below(9), 100_000]) {
        const rig = new Rig("long", tier);
        rig.code(code);
        expect(stampsOf(rig, slice, before.length)).toEqual(before);
      }
    }
  });

  test(`a guest's own offset (seed ${SEED})`, () => {
    const { code, before } = program(new Random(SEED));
    const rig = new GuestRig(tier);
    rig.vmcb.write("TSC_OFFSET", 5000n);
    rig.code(code, GUEST_CODE);
    expect(stampsOf(rig, 7, before.length)).toEqual(before.map((count) => count + 1 + 5000));
  });

  test.each(READS)("%s above CPL 0, by CR4.TSD", (read) => {
    const rig = new Rig("long", tier);
    rig.toUser();
    rig.code(`${read}${read}`);
    rig.run(1);
    expect(rig.lastException).toBe("");
    rig.state.cr4 |= CR4.TSD;
    rig.run(1);
    expect(rig.lastException).toBe("GP(0)");
  });
});
