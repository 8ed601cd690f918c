// Debian's Linux on our machine, through the bundled command, under MinVisor with all its intercepts. With MinVisor's
// own intercepts only it is compared with QEMU, in qemu-comparison.test.ts; alone it boots in symbols/linux/kernel.test.ts.

import { afterAll, beforeAll, expect, test } from "vitest";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import { INITRD_PATH, KERNEL_ARGUMENTS, KERNEL_PATH, RESULTS } from "../../scripts/guest-linux.mjs";
import { Command } from "../cli/command.ts";
import { makeGuests } from "../harness/linux-guest.ts";

const DONE = ["--until", "GUEST-DONE"];
/** The boot up to the results is about 0.7 G instructions: more than twice that is a hang. */
const BOUND = ["--max-instructions", "2_000_000_000"];
const TIMEOUT = 300_000;

let command: Command;
beforeAll(() => {
  makeGuests();
  command = new Command();
}, TIMEOUT);
afterAll(() => command.dispose());

const underMinVisor = (append: string): string[] => [
  ...["--kernel", MINVISOR_ELF, "--append", append],
  ...["--module", `${KERNEL_PATH} ${KERNEL_ARGUMENTS}`, "--module", INITRD_PATH],
];

const count = (stderr: string, reason: string): number =>
  Number(new RegExp(`^exit ${reason} (\\d+)$`, "m").exec(stderr)?.[1] ?? 0);

test(
  "boots to its results with I/O, MSRs, HLT and INTR intercepted too",
  () => {
    const args = underMinVisor("intercept=io,msr,hlt,intr");
    const run = command.run(...args, ...DONE, ...BOUND, "--stats");
    const console = run.stdout.replaceAll("\r", "");
    expect(console, run.stderr).toContain(RESULTS);
    expect(run.status).toBe(0);
    expect(run.stderr).toContain("end observer\n");
    expect(count(run.stderr, "CPUID")).toBeGreaterThan(100);
    expect(count(run.stderr, "NPF")).toBe(0);
    expect(count(run.stderr, "INTR")).toBeGreaterThan(100);
    expect(count(run.stderr, "IOIO")).toBeGreaterThan(10_000);
    expect(count(run.stderr, "MSR")).toBeGreaterThan(50);
    expect(run.stderr).not.toMatch(/^unimplemented/m);
    expect(console).not.toMatch(/Call Trace|unchecked MSR|BUG:|WARNING:/);
  },
  TIMEOUT,
);
