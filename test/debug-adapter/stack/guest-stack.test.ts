// Stacks of guest code without call frame information: labels of interruptions, scanned frames, paging,
// and stacks that are damaged.
import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { CallStack } from "../../../debug-adapter/stack.ts";
import { CrossingGoal } from "../../../debug-adapter/stepping/crossing.ts";
import { Stepper } from "../../../debug-adapter/stepping/stepper.ts";
import { disassembler, LoneRunner, loadSample } from "../../harness/loaded-debuggee.ts";

async function inGuestMain(): Promise<{ debuggee: Debuggee; runner: LoneRunner }> {
  const debuggee = await loadSample();
  const runner = new LoneRunner(debuggee);
  const { machine } = debuggee;
  const [main] = debuggee.images.all.flatMap((image) => image.symbols.functionsNamed("guest_main"));
  const address = main?.body ?? 0n;
  machine.cpu.engine.addBreakpoint(address);
  const detach = machine.observe({
    name: "guest_main",
    on: { execute: ({ linear, guest }) => (guest && linear === address ? "stop" : undefined) },
  });
  machine.run({ instructions: 20_000_000, idleTicks: 1e9 });
  machine.cpu.engine.removeBreakpoint(address);
  detach();
  return { debuggee, runner };
}

const shown = (debuggee: Debuggee): string[] =>
  new CallStack(debuggee)
    .slice(0, 50)
    .map((frame) =>
      frame.kind === "label" ? frame.name : `${frame.world} ${frame.name} ${frame.certainty}`,
    );

test("an interrupt handler's frame leads to what it interrupted, with a label between", async () => {
  const { debuggee, runner } = await inGuestMain();
  runner.run(new CrossingGoal(debuggee, "intoHandler"));
  const frames = shown(debuggee);
  expect(frames[0]).toBe("guest general_protection_entry exact");
  expect(frames[1]).toBe("#GP in ring 0");
  expect(frames[2]).toMatch(/^guest try_read_msr scanned/);
  expect(frames).toContainEqual(expect.stringMatching(/^guest touch_msrs/));
  expect(frames).toContainEqual(expect.stringMatching(/^guest guest_main/));
  expect(frames).toContainEqual(expect.stringMatching(/^host run_guest exact/));
});

test("a damaged stack ends with a sentence or at once, and never throws", async () => {
  const { debuggee } = await inGuestMain();
  const { state } = debuggee.machine;
  const base = shown(debuggee).length;
  expect(base).toBeGreaterThan(4);
  for (const [rsp, rbp] of [
    [0n, 0n],
    [state.rsp, state.rsp],
    [0xffff_ffff_ffff_fff8n, 0xffff_ffff_ffff_fff8n],
    [0x8000_0000_0000_0000n, 1n],
    [0x4000_0000n - 8n, 0x4000_0000n - 8n],
    [0x7000n, 0x7000n],
  ] as const) {
    state.rsp = rsp;
    state.rbp = rbp;
    const frames = shown(debuggee);
    expect(frames[0]).toMatch(/^guest guest_main exact/);
    expect(frames.length).toBeLessThanOrEqual(50);
    expect(frames.at(-1)).toMatch(/^host/);
  }
});

test("a stack whose frame pointer points at itself is told", async () => {
  const { debuggee } = await inGuestMain();
  const { state } = debuggee.machine;
  // Outside of any image, with a return address that is behind a CALL: a frame that calls itself.
  const caller = new CallStack(debuggee).at(1);
  const back = caller?.kind === "code" ? caller.pc : 0n;
  const frame = 0x9_0000n;
  state.rip = 0x9_1000n;
  state.rsp = frame;
  state.rbp = frame + 0x20n;
  const words = new BigUint64Array([frame + 0x20n, back]);
  const reference = { space: debuggee.spaces.resolve({ kind: "gva" }), address: frame + 0x20n };
  debuggee.spaces.write(reference, new Uint8Array(words.buffer));
  expect(shown(debuggee)).toContainEqual(
    "the stack cannot be followed: its frame pointer 0x90020 leads back to 0x90020",
  );
});

test("16- and 32-bit code: the caller by its return address, and a step out to it", async () => {
  const debuggee = await loadSample();
  const runner = new LoneRunner(debuggee);
  const { machine } = debuggee;
  for (const [routine, caller, bits] of [
    ["print16", "start", 16],
    ["print32", "protected", 32],
  ] as const) {
    const [symbol] = debuggee.images.all.flatMap(({ symbols }) => symbols.symbols.named(routine));
    const address = symbol?.address ?? 0n;
    machine.cpu.engine.addBreakpoint(address);
    const detach = machine.observe({
      name: routine,
      on: { execute: ({ linear, guest }) => (guest && linear === address ? "stop" : undefined) },
    });
    machine.run({ instructions: 20_000_000, idleTicks: 1e9 });
    machine.cpu.engine.removeBreakpoint(address);
    detach();
    expect(debuggee.codeBits).toBe(bits);
    const frames = shown(debuggee);
    expect(frames[0]).toBe(`guest ${routine} exact`);
    expect(frames[1]).toMatch(new RegExp(`^guest ${caller}\\S* scanned$`));
    expect(frames[2]).toMatch(/^VMRUN/);
    const back = new CallStack(debuggee).at(1);
    const stack = machine.state.rsp;
    const request = { kind: "out", granularity: "instruction", policy: "sameWorld" } as const;
    expect(runner.run(new Stepper(debuggee, disassembler, request))?.reason).toBe("step");
    expect(debuggee.linearRip).toBe(back?.kind === "code" ? back.pc : 0n);
    expect(machine.state.rsp).toBe(stack + BigInt(bits / 8));
  }
});
