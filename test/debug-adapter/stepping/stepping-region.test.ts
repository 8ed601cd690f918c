// What is foreseen of a region of code is what the machine does in it: where each instruction leads,
// and where the stack pointer then stands.

import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import type { LaunchAttributes } from "../../../debug-adapter/protocol.ts";
import type { DecodedInstruction } from "../../../debug-adapter/services.ts";
import { type StepRegion, stepRegion } from "../../../debug-adapter/stepping/step-region.ts";
import { LOOPS, SAMPLE, WARDEN } from "../../harness/dap-adapter.ts";
import { disassembler, loadSample } from "../../harness/loaded-debuggee.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";

const SEED = testSeed();
const INSTANTS = 60;
const MOST_STEPS = 200;

const instructionAt = (debuggee: Debuggee, linear: bigint): DecodedInstruction | undefined => {
  const bytes = debuggee.readLinear(debuggee.world, linear, 15);
  return disassembler.decode(bytes, linear, debuggee.codeBits, 1)[0];
};

interface Explored {
  readonly region: StepRegion;
  /** The instructions when they were explored. */
  readonly texts: ReadonlyMap<bigint, string | undefined>;
}

/** The whole function around the CPU, with every call run over. */
function regionHere(debuggee: Debuggee): Explored | undefined {
  const texts = new Map<bigint, string | undefined>();
  const { world, linearRip, codeBits: bits } = debuggee;
  const functionOf = (linear: bigint) =>
    debuggee.images.at(world, linear)?.symbols.functionAt(linear)?.start;
  const owner = functionOf(linearRip);
  const region = stepRegion(
    {
      bits,
      instructionAt: (linear) => {
        const instruction = instructionAt(debuggee, linear);
        texts.set(linear, instruction?.text);
        return instruction;
      },
      endsAt: (linear) => functionOf(linear) !== owner,
      looksInto: () => false,
    },
    linearRip,
  );
  return region && { region, texts };
}

/** Runs through the region; how many of its instructions ran before it was left or interrupted. */
function follow(debuggee: Debuggee, { region, texts }: Explored): number {
  const { machine, world } = debuggee;
  const { state } = machine;
  const stack = state.rsp;
  let isInterrupted = false;
  const note = () => {
    isInterrupted = true;
    return undefined;
  };
  const detach = machine.observe({ name: "events", on: { exception: note, exit: note } });
  let steps = 0;
  for (; steps < MOST_STEPS; steps++) {
    const linear = debuggee.linearRip;
    const height = region.inside.get(linear);
    if (height === undefined) break;
    const instruction = instructionAt(debuggee, linear);
    if (instruction?.text !== texts.get(linear)) break; // it has written itself
    const where = `${linear.toString(16)} ${instruction?.text}`;
    expect(state.rsp, where).toBe(stack + BigInt(height));
    const before = state.rsp;
    machine.step();
    if (instruction?.flow === "call" && !isInterrupted) {
      const behind = linear + BigInt(instruction.length);
      const isBack = () => debuggee.linearRip === behind && state.rsp === before;
      machine.run({ instructions: 1_000_000, idleTicks: 1e9, until: isBack });
      isInterrupted ||= !isBack();
    }
    // REP stays where it is until it is done.
    if (isInterrupted || debuggee.world !== world) break;
    const next = debuggee.linearRip;
    const foreseen = region.inside.get(next) ?? region.outside.get(next);
    expect(foreseen, `${where} leads to ${next.toString(16)}`).toBeDefined();
    expect(state.rsp, `after ${where}`).toBe(stack + BigInt(foreseen ?? 0));
  }
  detach();
  return steps;
}

const RUNS: readonly { name: string; attributes: LaunchAttributes; apart: number }[] = [
  { name: "MinVisor and its sample guest", attributes: SAMPLE, apart: 10_000 },
  { name: "a guest that loops", attributes: LOOPS, apart: 40_000 },
  { name: "a 32-bit hypervisor without frame pointers", attributes: WARDEN, apart: 1_500 },
];

for (const { name, attributes, apart } of RUNS) {
  test(`at random instants of ${name} (seed ${SEED})`, async () => {
    const debuggee = await loadSample(attributes);
    const { machine } = debuggee;
    const random = randomBelow(SEED);
    let followed = 0;
    let regions = 0;
    for (let i = 0; i < INSTANTS; i++) {
      const instructions = 1 + random(apart);
      const { reason } = machine.run({ instructions, idleTicks: 1e9 });
      if (reason !== "budget" && reason !== "idle") break;
      if (debuggee.codeBits === 16) continue;
      const explored = regionHere(debuggee);
      if (explored === undefined) continue;
      regions++;
      followed += follow(debuggee, explored);
    }
    expect(regions).toBeGreaterThan(5);
    expect(followed).toBeGreaterThan(100);
  }, 60_000);
}
