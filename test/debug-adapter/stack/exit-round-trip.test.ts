// From every instruction of the host's way from #VMEXIT to VMRUN the stack unwinds to the end: its
// return addresses are those that CALL and interrupts pushed, counted instruction by instruction.
import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { CallStack, type CodeFrame } from "../../../debug-adapter/stack.ts";
import type { ObserverEvents } from "../../../emulator/index.ts";
import { disassembler, loadSample } from "../../harness/loaded-debuggee.ts";

function hostFrames(debuggee: Debuggee): CodeFrame[] {
  const frames = new CallStack(debuggee).slice(0, 200);
  const host = frames.filter((frame) => frame.kind === "code" && frame.world === "host");
  return host as CodeFrame[];
}

/** Where the callers of each machine frame go on, innermost first. */
const returns = (debuggee: Debuggee): bigint[] => {
  const byDepth = new Map(hostFrames(debuggee).map((frame) => [frame.depth, frame.pc]));
  byDepth.delete(0);
  return [...byDepth.values()];
};

type Exit = ObserverEvents["exit"];

/** Runs to the next exit that is wanted: the host's first instant after it. */
function runToExit(debuggee: Debuggee, isWanted: (exit: Exit) => boolean): void {
  const { machine } = debuggee;
  const detach = machine.observe({
    name: "exit",
    on: { exit: (event) => (isWanted(event) ? "stop" : undefined) },
  });
  machine.run({ instructions: 50_000_000, idleTicks: 1e8 });
  detach();
}

/** Steps through the host until the next VMRUN, with the stack checked before each instruction. */
function checkRoundTrip(debuggee: Debuggee): { instructions: number; interrupts: number } {
  const { machine } = debuggee;
  const expected = returns(debuggee);
  let instructions = 0;
  let interrupts = 0;
  let interrupted: bigint | undefined;
  const detach = machine.observe({
    name: "interrupts",
    on: {
      exception: () => {
        if (debuggee.world !== "host") return undefined;
        interrupted = debuggee.linearRip;
        interrupts++;
        return "stop";
      },
    },
  });
  while (debuggee.world === "host") {
    const rip = debuggee.linearRip;
    const where = `${debuggee.images.nameOf("host", rip)} after ${instructions} instructions`;
    expect(returns(debuggee), where).toEqual(expected);
    expect(
      hostFrames(debuggee).map((frame) => frame.certainty),
      where,
    ).not.toContain("scanned");
    const bytes = debuggee.readLinear("host", rip, 15);
    const [instruction] = disassembler.decode(bytes, rip, 64, 1);
    interrupted = undefined;
    const { reason } = machine.run({ instructions: 1, passBreakpoint: true, idleTicks: 1e8 });
    if (reason !== "budget" && reason !== "observer") break;
    instructions++;
    if (interrupted !== undefined) {
      expected.unshift(interrupted);
      // An interrupt came behind the instruction, which may be the CALL or the RET that ran.
      if (interrupted === rip) continue;
    }
    if (instruction?.mnemonic === "call") expected.unshift(rip + BigInt(instruction.length));
    else if (instruction?.flow === "return") expected.shift();
  }
  detach();
  return { instructions, interrupts };
}

test("every instruction from #VMEXIT to VMRUN, for each kind of exit of the sample", async () => {
  const debuggee = await loadSample();
  let instructions = 0;
  for (const exit of [1, 37, 120, 300, 500, 700, 900]) {
    runToExit(debuggee, ({ number }) => number >= exit);
    expect(hostFrames(debuggee).map((frame) => frame.name)).toEqual([
      "vmrun",
      "run_guest",
      "minvisor_main",
      expect.stringMatching(/^start64/),
    ]);
    for (let i = 0; i < 3; i++) {
      instructions += checkRoundTrip(debuggee).instructions;
      debuggee.machine.run({ instructions: 1 });
      runToExit(debuggee, () => true);
    }
  }
  expect(instructions).toBeGreaterThan(1000);
}, 60_000);

test("the host's own interrupt handler unwinds through what was interrupted", async () => {
  const debuggee = await loadSample();
  const HLT = 0x78n;
  runToExit(debuggee, ({ code }) => code === HLT);
  // MinVisor sleeps in the guest's place; the timer wakes it.
  expect(checkRoundTrip(debuggee).interrupts).toBe(1);
}, 60_000);
