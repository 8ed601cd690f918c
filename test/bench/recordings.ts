/** What recordings cost: their size with and without snapshots, and opening them at their end. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InProcessSession } from "../harness/in-process-session.ts";
import { KERNEL_ARGUMENTS, linuxFiles } from "./linux-machine.ts";

const STRETCH = 300_000_000;

/** Of a stretch of a Linux boot, by the command line; returns bytes. */
function record(file: string, ...options: string[]): number {
  const { minvisor, kernel, initrd } = linuxFiles(process.cwd());
  const images = ["--kernel", minvisor, "--module", `${kernel} ${KERNEL_ARGUMENTS}`];
  const run = ["--module", initrd, "--serial", "null", "--max-instructions", `${STRETCH}`];
  spawnSync(process.execPath, [
    ...[join("dist", "cli.cjs"), "record", ...images, ...run, "-o", file],
    ...options,
  ]);
  return statSync(file).size;
}

/** CPU seconds from attach to the stop at the recording's end. */
async function opened(recording: string): Promise<number> {
  const start = process.cpuUsage();
  const client = new InProcessSession();
  await client.ask("initialize", { adapterID: "minvisor" });
  await client.ask("attach", { recording, serial: ["null", "null"] });
  const stopped = client.next("stopped");
  await client.ask("configurationDone");
  await stopped;
  client.session.close();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

export async function recordings(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "minvisor-bench-"));
  try {
    const [plain, quick] = [join(folder, "plain.mvrec"), join(folder, "quick.mvrec")];
    const images = record(plain);
    const size = record(quick, "--ledger", "--snapshots");
    const goal = 1.2 * images + (50 * STRETCH) / 1000;
    const [slow, fast] = [await opened(plain), await opened(quick)];
    console.log(
      `recording with snapshots / without: ${(size / images).toFixed(2)}; / goal: ${(size / goal).toFixed(2)}, at most 1`,
    );
    console.log(
      `opened at its end, replayed / from a snapshot: ${(slow / fast).toFixed(1)} (${slow.toFixed(1)} s, ${fast.toFixed(1)} s CPU)`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
