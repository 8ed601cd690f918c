// Debian's Linux on our machine, through the bundled command: under MinVisor with all its intercepts, and alone.
// With MinVisor's own intercepts only it is compared with QEMU, in qemu-comparison.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import { INITRD_PATH, KERNEL_ARGUMENTS, KERNEL_PATH } from "../../scripts/guest-linux.mjs";
import { Command, type Ended } from "../cli/command.ts";
import { makeGuests, RESULTS } from "../harness/linux-guest.ts";

const DONE = ["--until", "GUEST-DONE"];
/** The boot up to the results is about 1.4 G instructions: more than twice that is a hang. */
const BOUND = ["--max-instructions", "4_000_000_000"];
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

const alone = (linux = KERNEL_ARGUMENTS): string[] => [
  ...["--kernel", KERNEL_PATH, "--append", linux, "--module", INITRD_PATH],
];

/** Runs with statistics; the seconds and MIPS are recorded in the test's output, not asserted. */
function boot(what: string, ...args: string[]): Ended & { readonly console: string } {
  const ended = command.run(...args, ...BOUND, "--stats");
  const figures = ended.stderr.match(/^(instructions|cpu-seconds|mips) .*$/gm) ?? [];
  console.log(`${what}: ${figures.join(", ")}`);
  return { ...ended, console: ended.stdout.replaceAll("\r", "") };
}

const count = (stderr: string, reason: string): number =>
  Number(new RegExp(`^exit ${reason} (\\d+)$`, "m").exec(stderr)?.[1] ?? 0);

describe("under MinVisor", () => {
  test(
    "boots to its results with I/O, MSRs, HLT and INTR intercepted too",
    () => {
      const args = underMinVisor("intercept=io,msr,hlt,intr");
      const run = boot("everything intercepted", ...args, ...DONE);
      expect(run.console, run.stderr).toContain(RESULTS);
      expect(run.status).toBe(0);
      expect(run.stderr).toContain("end observer\n");
      expect(count(run.stderr, "CPUID")).toBeGreaterThan(100);
      expect(count(run.stderr, "NPF")).toBe(0);
      expect(count(run.stderr, "INTR")).toBeGreaterThan(100);
      expect(count(run.stderr, "IOIO")).toBeGreaterThan(10_000);
      expect(count(run.stderr, "MSR")).toBeGreaterThan(50);
      expect(run.stderr).not.toMatch(/^unimplemented/m);
      expect(run.console).not.toMatch(/Call Trace|unchecked MSR|BUG:|WARNING:/);
    },
    TIMEOUT,
  );
});

describe("without a hypervisor", () => {
  test(
    "boots at an address of its own choice, and powers off with status 0",
    () => {
      const args = alone(KERNEL_ARGUMENTS.replace(" nokaslr", ""));
      const run = boot("alone, with KASLR", ...args);
      expect(run.console, run.stderr).toContain(RESULTS);
      expect(run.stderr).toContain("end powerOff\n");
      expect(run.status).toBe(0);
      expect(run.stderr).not.toMatch(/^(exit|unimplemented)/m);
      expect(run.console).not.toMatch(/Call Trace|unchecked MSR|BUG:|WARNING:/);
    },
    TIMEOUT,
  );
});
