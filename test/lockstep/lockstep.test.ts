// Our machine against QEMU, register by register after every instruction, and VMCB by VMCB.

import { execFileSync } from "node:child_process";
import { beforeAll, expect, test } from "vitest";
import { LONG_MODE_GUEST, MINVISOR_ELF, SAMPLE_GUEST } from "../../scripts/build-minvisor.mjs";
import { makeLinuxGuest } from "../../scripts/guest-linux.mjs";
import { linuxModules } from "../../scripts/qemu-boot.mjs";
import { Lockstep, type LockstepOptions, type LockstepResult } from "./lockstep.ts";
import { differing } from "./register-file.ts";

beforeAll(() => {
  makeLinuxGuest();
}, 300_000);

/** Address of a symbol of MinVisor's. */
function symbol(name: string): bigint {
  const lines = execFileSync("nm", [MINVISOR_ELF], { encoding: "utf8" }).split("\n");
  const line = lines.find((text) => text.endsWith(` ${name}`));
  if (line === undefined) throw new Error(`${MINVISOR_ELF} has no symbol ${name}`);
  return BigInt(`0x${line.split(" ")[0]}`);
}

async function lockstep(options: LockstepOptions): Promise<LockstepResult> {
  const result = await Lockstep.run(options);
  expect(result.end, result.report).not.toBe("difference");
  return result;
}

test("the whole long-mode guest", async () => {
  const result = await lockstep({ kernel: LONG_MODE_GUEST, memory: 64, count: 10_000 });
  expect(result.end).toBe("debug exit");
  expect(result.compared).toBeGreaterThan(150);
  expect([...result.excused.keys()].filter((rule) => !rule.startsWith("a stop"))).toEqual([]);
});

test("MinVisor's first 25,000 instructions", async () => {
  const count = 25_000;
  const result = await lockstep({ kernel: MINVISOR_ELF, modules: [SAMPLE_GUEST], count });
  expect(result).toMatchObject({ end: "count", compared: count });
}, 120_000);

test("the sample guest from the first VMRUN: worlds, exits and VMCBs", async () => {
  const start = symbol("vmrun_instruction");
  const count = 20_000;
  const result = await lockstep({ kernel: MINVISOR_ELF, modules: [SAMPLE_GUEST], start, count });
  expect(result.compared).toBe(count);
  expect(result.vmcbs).toBeGreaterThan(20);
  expect(result.inGuest).toBeGreaterThan(100);
}, 120_000);

test("Linux from the first VMRUN, into its decompressor", async () => {
  const start = symbol("vmrun_instruction");
  const count = 25_000;
  const result = await lockstep({ kernel: MINVISOR_ELF, modules: linuxModules(), start, count });
  expect(result.compared).toBe(count);
  expect(result.inGuest).toBeGreaterThan(20_000);
}, 120_000);

test("a difference is seen", () => {
  const file = (rax: bigint) => new Map([["rax", rax]]);
  expect(differing(file(1n), file(1n))).toEqual([]);
  expect(differing(file(1n), file(2n))).toEqual(["rax"]);
});
