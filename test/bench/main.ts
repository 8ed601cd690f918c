/** `npm run bench`: the goals for speed as ratios, printed; nothing here is a timed test. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Machine } from "../../emulator/index.ts";
import { QEMU, QEMU_CPU_FLAGS } from "../../scripts/qemu-boot.mjs";
import { attachSvm } from "../invariants/svm.ts";
import { type Comparison, compare } from "./alternating.ts";
import { idle, steps, stops } from "./debugger.ts";
import { KERNEL_ARGUMENTS, linuxFiles, linuxImage, linuxMachine } from "./linux-machine.ts";
import { recordings } from "./recordings.ts";
import { goingBack, recording } from "./time-travel.ts";

const repository = process.cwd();
const files = linuxFiles(repository);
/** A stretch of the boot that has unpacking, page tables, interrupts and devices in it. */
const STRETCH = 250_000_000;

/** CPU seconds (user and system) of a child process, by the shell's own clock. */
async function childSeconds(command: string, args: readonly string[]): Promise<number> {
  const script = 'TIMEFORMAT="%U %S"; { time "$@" >/dev/null 2>/dev/null </dev/null; } 2>&1';
  const { stdout } = spawnSync("bash", ["-c", script, "bench", command, ...args], {
    encoding: "utf8",
    cwd: repository,
  });
  const [user, system] = stdout.trim().split(" ").map(Number);
  if (user === undefined || system === undefined || Number.isNaN(user + system)) {
    throw new Error(`${command} could not be timed: ${stdout}`);
  }
  return user + system;
}

const ourBoot = () =>
  childSeconds(process.execPath, [
    ...[join("dist", "cli.cjs"), "run", "--kernel", files.minvisor, "--serial", "null"],
    ...["--module", `${files.kernel} ${KERNEL_ARGUMENTS}`, "--module", files.initrd],
  ]);

const qemuBoot = () =>
  childSeconds(QEMU, [
    ...["-accel", "tcg", "-machine", "pc", "-cpu", QEMU_CPU_FLAGS, "-m", "512"],
    ...["-display", "none", "-nodefaults", "-no-reboot", "-serial", "null"],
    // A panic of MinVisor ends the run too.
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", files.minvisor],
    ...["-initrd", `${files.kernel} ${KERNEL_ARGUMENTS.replaceAll(",", ",,")},${files.initrd}`],
  ]);

const image = linuxImage(files);

/** CPU seconds of the stretch with something attached to the machine. */
const stretch = (prepare: (machine: Machine) => void) => async () => {
  const machine = linuxMachine(image);
  prepare(machine);
  const start = process.cpuUsage();
  machine.run({ instructions: STRETCH });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};

const plain = stretch(() => {});
const withInvariants = stretch((machine) => {
  attachSvm(machine, { onViolation: ({ message }) => console.log(`violated: ${message}`) });
});
function show(title: string, goal: string, names: [string, string], result: Comparison): void {
  const [low, high] = result.interval.map((n) => n.toFixed(3));
  console.log(
    `${title}: ${result.ratio.toFixed(3)} (95 % interval ${low} to ${high}, ${result.pairs} pairs; ` +
      `medians ${names[0]} ${result.first.toFixed(2)} s, ${names[1]} ${result.second.toFixed(2)} s; goal ${goal})`,
  );
}

/** By name, in the order in which they run; each takes the number of pairs. */
const BENCHMARKS: Readonly<Record<string, (pairs: number) => Promise<void>>> = {
  invariants: async (pairs) => {
    const result = await compare(withInvariants, plain, pairs);
    show("invariants on / off", "at most 1.05", ["on", "off"], result);
  },
  idle: async (pairs) =>
    show("debugger idle / none", "at most 1.02", ["idle", "none"], await idle(pairs)),
  boot: async (pairs) => {
    const result = await compare(ourBoot, qemuBoot, Math.max(3, pairs / 2));
    show("boot, ours / QEMU TCG", "none yet: interpreter only", ["ours", "QEMU"], result);
  },
  recording: async (pairs) => {
    const result = await recording(pairs);
    show("recording on / off", "at most 1.3", ["on", "off"], result);
  },
  recordings,
  back: () => goingBack(20),
  stops: () => stops(30),
  steps: () => steps(20_000),
};

/** `npm run bench [PAIRS] [NAME...]`. */
async function main([pairs = "6", ...names]: string[]): Promise<void> {
  for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
    const benchmark = BENCHMARKS[name];
    if (benchmark === undefined) {
      throw new Error(`No benchmark "${name}"; there are ${Object.keys(BENCHMARKS).join(", ")}`);
    }
    await benchmark(Number(pairs));
  }
}

await main(process.argv.slice(2));
