/** Recording, replaying and going back beside QEMU's record and replay: one kernel, in CPU seconds. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cpioArchive } from "../../scripts/guest-linux.mjs";
import { QEMU, QEMU_CPU_FLAGS } from "../../scripts/qemu-boot.mjs";
import { LINUX } from "../harness/dap-adapter.ts";
import { QemuMonitor } from "../harness/qemu-monitor.ts";
import { cpuSecondsOf, QemuStub } from "../harness/qemu-stub.ts";
import { childSeconds, compare, median, show } from "./alternating.ts";
import { type Files, KERNEL_ARGUMENTS } from "./linux-machine.ts";
import { sessionAt, timed } from "./time-travel.ts";

/**
 * Debian's kernel with a program that has no end, and without MinVisor: QEMU 7.2 records a guest under
 * a hypervisor, but its replay comes to a standstill where that guest waits in HLT.
 */
const INIT = `#!/bin/sh
mount -t proc proc /proc
echo 1 > /proc/sys/kernel/printk
mount -t devtmpfs dev /dev
for round in $(seq 0 9999); do
  echo "ROUND $round"
  seq 1 20000 | sha256sum > /dev/null
done
`;
const UNTIL = "ROUND 0";
const MEMORY = 512;

/** A folder for the guest's files and what is recorded, used once. */
class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "minvisor-bench-"));
  readonly initrd = this.path("initrd.cpio");
  readonly files: Files;

  constructor(files: Files) {
    this.files = files;
    // The kernel unpacks one archive after the other; the later file of a name stays.
    const init = cpioArchive([{ name: "init", mode: 0o100755, data: Buffer.from(INIT) }]);
    const whole = Buffer.concat([readFileSync(files.initrd), init].map((b) => new Uint8Array(b)));
    writeFileSync(this.initrd, new Uint8Array(whole));
    writeFileSync(this.path("snapshots.qcow2"), emptyQcow2());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** An image of 1 GiB with nothing in it: QEMU puts the snapshot there from which it replays. */
function emptyQcow2(): Uint8Array {
  const cluster = 0x1_0000;
  const image = new DataView(new ArrayBuffer(4 * cluster));
  // Header, refcount table, its one block (each cluster here used once), L1 table.
  image.setUint32(0, 0x514649fb);
  image.setUint32(4, 2);
  image.setUint32(20, Math.log2(cluster));
  image.setBigUint64(24, 2n ** 30n);
  image.setUint32(36, 2);
  image.setBigUint64(40, BigInt(3 * cluster));
  image.setBigUint64(48, BigInt(cluster));
  image.setUint32(56, 1);
  image.setBigUint64(cluster, BigInt(2 * cluster));
  for (let i = 0; i < 4; i++) image.setUint16(2 * cluster + 2 * i, 1);
  return new Uint8Array(image.buffer);
}

type Mode = "plain" | "record" | "replay";

/** Virtual time as ours has it: a nanosecond an instruction. */
const modeArguments = (place: Place, mode: Mode): string[] => {
  const replay = `rr=${mode},rrfile=${place.path("rr.bin")},rrsnapshot=init`;
  const drive = `file=${place.path("snapshots.qcow2")},if=none,format=qcow2,id=snapshots`;
  const monitor = `unix:${place.path("qmp")},server=on,wait=off`;
  return [
    ...["-icount", mode === "plain" ? "shift=0" : `shift=0,${replay}`],
    ...["-drive", drive, "-qmp", monitor],
  ];
};

/** The console goes to a file: a pipe that takes no more for a while is nothing that QEMU replays. */
function startQemu(place: Place, mode: Mode): ChildProcess {
  for (const name of ["qmp", "serial"]) rmSync(place.path(name), { force: true });
  return spawn(
    QEMU,
    [
      ...["-accel", "tcg", "-machine", "pc", "-cpu", QEMU_CPU_FLAGS, "-m", `${MEMORY}`],
      ...[
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-serial",
        `file:${place.path("serial")}`,
      ],
      ...["-serial", "null"],
      ...["-kernel", place.files.kernel, "-append", KERNEL_ARGUMENTS, "-initrd", place.initrd],
      ...modeArguments(place, mode),
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
}

/** CPU seconds up to where the guest has printed UNTIL. */
async function qemuSeconds(place: Place, mode: Mode): Promise<number> {
  const qemu = startQemu(place, mode);
  const printed = place.path("serial");
  while (!existsSync(printed) || !readFileSync(printed, "latin1").includes(UNTIL)) {
    if (qemu.exitCode !== null) throw new Error(`QEMU ended with status ${qemu.exitCode}`);
    await sleep(20);
  }
  const seconds = cpuSecondsOf(qemu.pid ?? 0);
  await end(place, qemu, mode);
  return seconds;
}

/** In good order, so that its log is whole; a replay, which may just be ending where its log does, at once. */
async function end(place: Place, qemu: ChildProcess, mode: Mode): Promise<void> {
  const ended = once(qemu, "exit");
  if (mode === "replay") {
    if (qemu.kill("SIGKILL")) await ended;
    return;
  }
  const monitor = await QemuMonitor.connect(place.path("qmp"));
  await monitor.ask("quit");
  await ended;
  monitor.close();
}

const megabytes = (...files: string[]): string =>
  `${(files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6).toFixed(1)} MB`;

/** What recording costs, and replaying, up to where the kernel's boot is done. */
export async function recordingBesideQemu(files: Files, pairs: number): Promise<void> {
  const place = new Place(files);
  const recording = place.path("ours.mvrec");
  const options = [
    ...["--kernel", files.kernel, "--append", KERNEL_ARGUMENTS, "--module", place.initrd],
    ...["--serial", "null", "--until", UNTIL],
  ];
  const ours = (...args: string[]) => childSeconds(process.execPath, ["dist/cli.cjs", ...args]);
  const run = () => ours("run", ...options);
  const record = () => ours("record", ...options, "-o", recording);
  const replay = () => ours("replay", recording, "--check");
  const goal = "at most 1.3";
  show("ours, recording / not", goal, ["on", "off"], await compare(record, run, pairs));
  show(
    "ours, replay / record",
    "at most 1",
    ["replay", "record"],
    await compare(replay, record, pairs),
  );
  const qemu = (mode: Mode) => () => qemuSeconds(place, mode);
  show(
    "QEMU, recording / not",
    "none",
    ["on", "off"],
    await compare(qemu("record"), qemu("plain"), pairs),
  );
  show(
    "QEMU, replay / record",
    "none",
    ["replay", "record"],
    await compare(qemu("replay"), qemu("record"), pairs),
  );
  const theirs = megabytes(place.path("rr.bin"), place.path("snapshots.qcow2"));
  console.log(`files: ours ${megabytes(recording)} with the images, QEMU's ${theirs} without`);
  place.remove();
}

const seconds = (values: readonly number[]): string =>
  `median ${median(values).toFixed(3)} s, worst ${Math.max(...values).toFixed(3)} s`;

interface Costs {
  readonly steps: number[];
  readonly seeks: number[];
}

async function cost(clock: () => number, work: () => Promise<unknown>): Promise<number> {
  const start = clock();
  await work();
  return clock() - start;
}

/** Steps back by an instruction from an icount, then seeks. */
export async function backBesideQemu(files: Files, icount: number, count: number): Promise<void> {
  const place = new Place(files);
  const targets = Array.from({ length: count }, (_, i) =>
    Math.floor(icount * ((0.618 * (i + 1)) % 1)),
  );
  const ours = await oursBack(place, icount, targets);
  const theirs = await qemuBack(place, icount, targets);
  for (const [what, { steps, seeks }] of Object.entries({ ours, QEMU: theirs })) {
    console.log(`${what}, a step back at icount ${icount}: ${seconds(steps)} (${count} steps)`);
    console.log(`${what}, seeks before there: ${seconds(seeks)} (${count} seeks)`);
  }
  place.remove();
}

async function oursBack(place: Place, icount: number, targets: readonly number[]): Promise<Costs> {
  const clock = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const start = clock();
  const client = await sessionAt(icount, {
    ...LINUX,
    kernel: place.files.kernel,
    append: KERNEL_ARGUMENTS,
    modules: [place.initrd],
  });
  console.log(`ours, the recorded run to there: ${(clock() - start).toFixed(1)} s`);
  const costs: Costs = { steps: [], seeks: [] };
  for (const _ of targets) {
    const step = () => timed(client, "stepBack", { granularity: "instruction" });
    costs.steps.push(await cost(clock, step));
  }
  for (const target of targets) {
    const seek = () => timed(client, "minvisor/seek", { icount: target });
    costs.seeks.push(await cost(clock, seek));
  }
  client.session.close();
  return costs;
}

/** Stopped at its first instruction; what is replayed has to be recorded by the same devices. */
async function stopped(place: Place, mode: Mode): Promise<[QemuStub, QemuMonitor]> {
  rmSync(place.path("qmp"), { force: true });
  const stub = await QemuStub.start({
    kernel: place.files.kernel,
    append: KERNEL_ARGUMENTS,
    modules: [place.initrd],
    memory: MEMORY,
    more: modeArguments(place, mode),
  });
  return [stub, await QemuMonitor.connect(place.path("qmp"))];
}

async function qemuBack(place: Place, icount: number, targets: readonly number[]): Promise<Costs> {
  await qemuRecord(place, icount);
  const [stub, monitor] = await stopped(place, "replay");
  const clock = () => stub.cpuSeconds;
  /** A seek stops and runs again on its way: the end is where the count is. */
  const goTo = async (command: string, target: number) => {
    await monitor.ask(command, { icount: target });
    if (command === "replay-break") await monitor.ask("cont");
    while ((await monitor.ask<{ icount: number }>("query-replay")).icount !== target) {
      await sleep(100);
    }
  };
  console.log(
    `QEMU, replay to there: ${(await cost(clock, () => goTo("replay-break", icount))).toFixed(1)} s`,
  );
  const costs: Costs = { steps: [], seeks: [] };
  for (const _ of targets) costs.steps.push(await cost(clock, () => stub.reverseStep()));
  for (const target of targets) {
    costs.seeks.push(await cost(clock, () => goTo("replay-seek", target)));
  }
  monitor.close();
  stub.stop();
  return costs;
}

async function qemuRecord(place: Place, icount: number): Promise<void> {
  const [stub, monitor] = await stopped(place, "record");
  await monitor.ask("cont");
  while ((await monitor.ask<{ icount: number }>("query-replay")).icount < icount) await sleep(50);
  console.log(`QEMU, the recorded run to there: ${stub.cpuSeconds.toFixed(1)} s`);
  await monitor.ask("quit");
  await stub.exited();
  monitor.close();
}
