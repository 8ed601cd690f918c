// Steps over lines that loop: they end where a machine that is stepped instruction by instruction
// says, after few returns from the machine.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import type { StepPolicy } from "../../../debug-adapter/protocol.ts";
import type { Stop } from "../../../debug-adapter/runner.ts";
import { worldFrames } from "../../../debug-adapter/stack.ts";
import { Stepper, type StepRequest } from "../../../debug-adapter/stepping/stepper.ts";
import { inRepository, LOOPS } from "../../harness/dap-adapter.ts";
import { disassembler, LoneRunner, loadSample } from "../../harness/loaded-debuggee.ts";

const SOURCE = readFileSync(inRepository("test/guests/loops/main.c"), "utf8").split("\n");

interface Loaded {
  readonly debuggee: Debuggee;
  readonly runner: LoneRunner;
  /** How often the machine was asked to run. */
  runs: number;
}

async function load(): Promise<Loaded> {
  const debuggee = await loadSample(LOOPS);
  const loaded = { debuggee, runner: new LoneRunner(debuggee), runs: 0 };
  const { machine } = debuggee;
  const run = machine.run.bind(machine);
  machine.run = (limits) => {
    loaded.runs++;
    return run(limits);
  };
  return loaded;
}

/** Runs to a guest's function. */
function runTo(debuggee: Debuggee, name: string): void {
  const { machine } = debuggee;
  const [place] = debuggee.images.all.flatMap(({ symbols }) => symbols.functionsNamed(name));
  const address = place?.body ?? 0n;
  const { engine } = machine.cpu;
  engine.addBreakpoint(address);
  const detach = machine.observe({
    name: "function",
    on: { execute: ({ linear, guest }) => (guest && linear === address ? "stop" : undefined) },
  });
  const { reason } = machine.run({ instructions: 50_000_000, idleTicks: 1e9 });
  expect(reason).toBe("observer");
  engine.removeBreakpoint(address);
  detach();
}

function step(
  { debuggee, runner }: Loaded,
  kind: StepRequest["kind"],
  policy: StepPolicy = "sameWorld",
): Stop | undefined {
  return runner.run(new Stepper(debuggee, disassembler, { kind, granularity: "line", policy }));
}

const lineAt = (debuggee: Debuggee, linear: bigint): number | undefined =>
  debuggee.images.sourceAt("guest", linear)?.line;

/** The line on which an instruction of the function counts: that of the call, where one is inlined. */
function lineOf(debuggee: Debuggee, linear: bigint): number | undefined {
  const image = debuggee.images.at("guest", linear);
  return image?.symbols.framesAt(linear).at(-1)?.location?.line;
}

/** Single instructions, until another line begins with the stack pointer where it was. */
function oracleNext(debuggee: Debuggee): void {
  const { machine } = debuggee;
  const { rsp } = machine.state;
  const line = lineOf(debuggee, debuggee.linearRip);
  const ends = new Map<bigint, boolean>();
  const isEnd = (linear: bigint): boolean => {
    const here = lineOf(debuggee, linear);
    return here !== line && lineOf(debuggee, linear - 1n) !== here;
  };
  const started = machine.icount;
  machine.run({
    instructions: 100_000_000,
    idleTicks: 1e12,
    until: () => {
      if (machine.state.guestMode === 0 || machine.state.rsp !== rsp) return false;
      if (machine.icount === started) return false;
      const linear = debuggee.linearRip;
      const known = ends.get(linear) ?? isEnd(linear);
      ends.set(linear, known);
      return known;
    },
  });
}

const at = ({ machine, linearRip }: Debuggee): string => `${machine.icount} ${linearRip}`;

async function inGuestMain(): Promise<Loaded> {
  const loaded = await load();
  runTo(loaded.debuggee, "guest_main");
  step(loaded, "over"); // over the prologue: from here on the frame is made
  return loaded;
}

/** Steps over lines until the one that holds the text comes up. */
function nextTo(loaded: Loaded, text: string): void {
  const line = SOURCE.findIndex((each) => each.includes(text)) + 1;
  for (let i = 0; i < 20 && hereIn(loaded) !== line; i++) step(loaded, "over");
  expect(hereIn(loaded)).toBe(line);
}

const hereIn = ({ debuggee }: Loaded) => lineAt(debuggee, debuggee.linearRip);

function nameIn({ debuggee }: Loaded): string | undefined {
  return worldFrames(debuggee, debuggee.world, 1)[0]?.name;
}

test("next ends at the instant at which single steps end, whatever loops on the line", async () => {
  const [stepped, other] = [await inGuestMain(), await inGuestMain()];
  const { debuggee } = stepped;
  const looped: string[] = [];
  for (;;) {
    const { icount } = debuggee.machine;
    const line = hereIn(stepped) ?? 0;
    if (step(stepped, "over") === undefined) break;
    oracleNext(other.debuggee);
    expect(at(debuggee), `line ${line}`).toBe(at(other.debuggee));
    expect(debuggee.machine.stateHash(), `line ${line}`).toBe(other.debuggee.machine.stateHash());
    const text = SOURCE[line - 1] ?? "";
    if (debuggee.machine.icount - icount > 300 && text.includes("(")) looped.push(text.trim());
  }
  const main = SOURCE.slice(SOURCE.indexOf("void guest_main(void)"));
  const loops = main.filter((line) => /^ {2}(for|asm|sum \+= \w+\()/.test(line));
  expect(looped).toEqual(expect.arrayContaining(loops.map((line) => line.trim())));
  expect(looped.length).toBeGreaterThan(8);
}, 120_000);

test("a million iterations of a line take a few runs of the machine", async () => {
  const loaded = await inGuestMain();
  const { debuggee } = loaded;
  const [rounds] = debuggee.images.all.flatMap(({ symbols }) => symbols.symbols.named("rounds"));
  const address = BigInt(rounds?.address ?? 0);
  const bytes = new Uint8Array(new Uint32Array([1_000_000]).buffer);
  debuggee.spaces.write({ space: debuggee.spaces.here(), address }, bytes);
  nextTo(loaded, "i < rounds");
  const { icount } = debuggee.machine;
  loaded.runs = 0;
  let interrupts = 0;
  const detach = debuggee.machine.observe({
    name: "ticks",
    on: { exception: () => void interrupts++ },
  });
  step(loaded, "over");
  detach();
  expect(hereIn(loaded)).toBe(SOURCE.findIndex((line) => line.includes("mix(sum, i)")) + 1);
  expect(debuggee.machine.icount - icount).toBeGreaterThan(7_000_000);
  // Slices of the run, and two for each interrupt.
  expect(loaded.runs - 2 * interrupts).toBeLessThan(40);
}, 60_000);

test("stepping in enters what the loop calls, and the other world where the policy says so", async () => {
  const loaded = await inGuestMain();
  nextTo(loaded, "mix(sum, i)");
  step(loaded, "in");
  expect(nameIn(loaded)).toBe("mix");
  step(loaded, "out");
  expect(nameIn(loaded)).toBe("guest_main");
  nextTo(loaded, "in8(0x3fd)");
  step(loaded, "over", "followCpu");
  expect(loaded.debuggee.world).toBe("host");
}, 60_000);

test("stepping out of an inlined loop ends in the function that it is inlined in", async () => {
  const loaded = await inGuestMain();
  nextTo(loaded, "add_bits(&sum, sum + i)");
  for (let i = 0; i < 5 && nameIn(loaded) !== "add_bits"; i++) step(loaded, "in");
  expect(nameIn(loaded)).toBe("add_bits");
  step(loaded, "out");
  expect(nameIn(loaded)).toBe("guest_main");
}, 60_000);
