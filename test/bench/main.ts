/** `npm run bench`: the goals for speed as ratios, printed; nothing here is a timed test. */

import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Machine } from "../../emulator/index.ts";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import { QEMU, QEMU_CPU_FLAGS } from "../../scripts/qemu-boot.mjs";
import { attachAll } from "../invariants/minvisor-inv.ts";
import { childSeconds, compare, compareSlices, show } from "./alternating.ts";
import { idle, steps, stops } from "./debugger.ts";
import { KERNEL_ARGUMENTS, linuxFiles, linuxImage, linuxMachine } from "./linux-machine.ts";
import { backBesideQemu, recordingBesideQemu } from "./qemu-replay.ts";
import { recordings } from "./recordings.ts";
import { goingBack, recording } from "./time-travel.ts";

const repository = process.cwd();
const files = linuxFiles(repository);
/** A boot with its init's long work, all but the power-off. */
const STRETCH = 1_400_000_000;
/** Some 0.2 s each. */
const SLICES = 70;

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

/** A stretch of the boot with all invariants of svm.inv and minvisor.inv beside one without. */
function invariants(pairs: number, goal: string, append = ""): void {
  const image = linuxImage(files, append);
  const work = new Set<string>();
  const slicesOf = (machine: Machine) => () => {
    machine.run({ instructions: STRETCH / SLICES });
  };
  const on = () => {
    const machine = linuxMachine(image);
    const { counters, violations } = attachAll(machine, MINVISOR_ELF);
    const next = slicesOf(machine);
    return () => {
      next();
      if (machine.icount < STRETCH) return;
      const { evaluations, tableScans, watchedPages, staleMarks, keptPages } = counters();
      const { exitCount } = machine.state;
      const { slowPaths } = machine.cpu.mmu.counters;
      work.add(
        `${exitCount} exits, ${evaluations} evaluations, ${tableScans} tables read, ` +
          `${watchedPages} pages watched, ${staleMarks} stale marks, ${keptPages} pages kept, ` +
          `${slowPaths} slow paths, ${violations.length} violations`,
      );
    };
  };
  const result = compareSlices(on, () => slicesOf(linuxMachine(image)), SLICES, pairs);
  const title = `invariants on / off${append === "" ? "" : `, ${append}`}`;
  show(title, goal, ["on", "off"], result);
  console.log([...work].join("; "));
}

/** By name, in the order in which they run; each takes the number of pairs, and where it goes back from. */
const BENCHMARKS: Readonly<Record<string, (pairs: number, icount: number) => Promise<void>>> = {
  invariants: async (pairs) => invariants(pairs, "at most 1.05"),
  "invariants-many-exits": async (pairs) =>
    invariants(pairs, "none: over 40 exits a million instructions", "intercept=io,msr,hlt,intr"),
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
  "qemu-recording": (pairs) => recordingBesideQemu(files, pairs),
  "qemu-back": (pairs, icount) => backBesideQemu(files, icount, pairs),
};

/** `npm run bench -- [--icount N] [PAIRS] [NAME...]`. */
async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { icount: { type: "string", default: "500000000" } },
  });
  const [pairs = "6", ...names] = positionals;
  for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
    const benchmark = BENCHMARKS[name];
    if (benchmark === undefined) {
      throw new Error(`No benchmark "${name}"; there are ${Object.keys(BENCHMARKS).join(", ")}`);
    }
    await benchmark(Number(pairs), Number(values.icount));
  }
}

await main(process.argv.slice(2));
