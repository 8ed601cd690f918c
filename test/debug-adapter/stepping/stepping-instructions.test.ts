// Instructions that take long or end elsewhere, stepped singly: REP, HLT, and a call.
import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { Stepper, type StepRequest } from "../../../debug-adapter/stepping/stepper.ts";
import { disassembler, LoneRunner, loadSample } from "../../harness/loaded-debuggee.ts";

const MOST_BYTES = 0x400;

/** Address and length of the first instruction of that text behind a symbol of the guest. */
function find(debuggee: Debuggee, symbol: string, text: RegExp): { at: bigint; length: number } {
  const [start] = debuggee.images.all.flatMap(({ symbols }) => symbols.symbols.named(symbol));
  if (start === undefined) throw new Error(`no symbol ${symbol}`);
  const bits = symbol === "protected" ? 32 : 64;
  const bytes = debuggee.readLinear("guest", start.address, MOST_BYTES);
  let at = start.address;
  for (const { text: found, length } of disassembler.decode(bytes, at, bits, MOST_BYTES)) {
    if (text.test(found)) return { at, length };
    at += BigInt(length);
  }
  throw new Error(`${symbol} has no instruction ${text}`);
}

function runTo(debuggee: Debuggee, address: bigint): void {
  const { machine } = debuggee;
  machine.cpu.engine.addBreakpoint(address);
  const detach = machine.observe({
    name: "there",
    on: { execute: ({ linear, guest }) => (guest && linear === address ? "stop" : undefined) },
  });
  const { reason } = machine.run({ instructions: 20_000_000, idleTicks: 1e9 });
  expect(reason).toBe("observer");
  machine.cpu.engine.removeBreakpoint(address);
  detach();
}

/** A machine before its first exit of the guest's own, where the guest's code can be read. */
async function load(): Promise<{ debuggee: Debuggee; runner: LoneRunner }> {
  const debuggee = await loadSample();
  const { machine } = debuggee;
  const detach = machine.observe({ name: "start", on: { vmrun: () => "stop" } });
  machine.run({ instructions: 20_000_000, idleTicks: 1e9 });
  detach();
  return { debuggee, runner: new LoneRunner(debuggee) };
}

function step(debuggee: Debuggee, runner: LoneRunner, kind: StepRequest["kind"]): void {
  const request = { kind, granularity: "instruction", policy: "sameWorld" } as const;
  expect(runner.run(new Stepper(debuggee, disassembler, request))?.reason).toBe("step");
}

test("next is over a whole repeated string instruction, stepIn over one iteration", async () => {
  const { debuggee, runner } = await load();
  const { at, length } = find(debuggee, "protected", /^rep stos/);
  runTo(debuggee, at);
  const { state } = debuggee.machine;
  const count = state.rcx;
  expect(count).toBeGreaterThan(1000n);
  step(debuggee, runner, "in");
  expect([debuggee.linearRip, state.rcx]).toEqual([at, count - 1n]);
  step(debuggee, runner, "over");
  expect([debuggee.linearRip, state.rcx]).toEqual([at + BigInt(length), 0n]);
});

test.for(["in", "over"] as const)(
  "HLT is over (%s) when the interrupt that woke the CPU is",
  async (kind) => {
    const { debuggee, runner } = await load();
    const { at, length } = find(debuggee, "sleep_once", /^hlt/);
    runTo(debuggee, at);
    const vectors: number[] = [];
    const detach = debuggee.machine.observe({
      name: "interrupts",
      on: {
        exception: ({ vector, external }) => {
          if (external && debuggee.world === "guest") vectors.push(vector);
          return undefined;
        },
      },
    });
    const { rsp } = debuggee.machine.state;
    step(debuggee, runner, kind);
    detach();
    expect(vectors).toEqual([0x20]);
    expect([debuggee.linearRip, debuggee.machine.state.rsp]).toEqual([at + BigInt(length), rsp]);
  },
);

test("a call is entered, or run over whole", async () => {
  const { debuggee, runner } = await load();
  const { state } = debuggee.machine;
  runTo(debuggee, find(debuggee, "long_mode", /^call/).at);
  const { rsp } = state;
  step(debuggee, runner, "in");
  expect(debuggee.images.nameOf("guest", debuggee.linearRip)).toBe("guest_main");
  expect(state.rsp).toBe(rsp - 8n);
  const { at, length } = find(debuggee, "guest_main", /^call/);
  runTo(debuggee, at);
  const { icount } = debuggee.machine;
  const stack = state.rsp;
  step(debuggee, runner, "over");
  expect([debuggee.linearRip, state.rsp]).toEqual([at + BigInt(length), stack]);
  expect(debuggee.machine.icount - icount).toBeGreaterThan(10);
});
