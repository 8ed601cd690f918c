// Damaged kernels: one sentence from the loader, or an image that fits into memory.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { LoadError } from "../../../emulator/loader/load-error.ts";
import { loadKernel } from "../../../emulator/loader/load-kernel.ts";
import { MINVISOR_ELF, PAE_HYPERVISOR } from "../../../scripts/build-minvisor.mjs";
import { KERNEL_PATH, makeLinuxGuest } from "../../../scripts/guest-linux.mjs";
import { randomBelow } from "../../harness/random.ts";
import { MUTATIONS } from "../../symbols/mutations.ts";

const ROUNDS = Number(process.env.LOADER_MUTATIONS ?? 1000);
const SEED = Number(process.env.LOADER_SEED ?? 20_240_601);
const RAM = 512 * 2 ** 20;
/** What loaders look at: headers and program headers. */
const HEADERS = 0x2000;
/** The kernel's compressed part is data to the loader; less of it saves time. */
const KEPT = 0x40000;
/** Fields of the setup header: sectors of setup code, and the rest of the file in 16 bytes. */
const SETUP_SECTORS = 0x1f1;
const SYSTEM_SIZE = 0x1f4;

beforeAll(() => {
  makeLinuxGuest();
}, 300_000);

describe(`${ROUNDS} mutations (seed ${SEED})`, () => {
  test.each([MINVISOR_ELF, PAE_HYPERVISOR, KERNEL_PATH])("of %s", (path) => {
    const good = new Uint8Array(readFileSync(path)).slice(0, KEPT);
    if (path === KERNEL_PATH) {
      const rest = KEPT - (good[SETUP_SECTORS]! + 1) * 512;
      new DataView(good.buffer).setUint32(SYSTEM_SIZE, rest / 16, true);
    }
    let loaded = 0;
    const random = randomBelow(SEED);
    const kinds = Object.entries(MUTATIONS);
    for (let round = 0; round < ROUNDS; round++) {
      const [kind, mutate] = kinds[round % kinds.length]!;
      const region = { name: "headers", offset: 0, size: [0x34, 0x400, HEADERS][random(3)]! };
      const copy = good.slice();
      const bytes = mutate(copy, region, random) ?? copy;
      if (isLoadable(bytes, `round ${round}: ${kind}`)) loaded++;
    }
    expect(loaded).toBeGreaterThan(ROUNDS / 8);
  });
});

/** Whether an image came of it: one that writes no more, in all, than there is memory. */
function isLoadable(bytes: Uint8Array, label: string): boolean {
  try {
    const { writes } = loadKernel({ kernel: { name: "kernel", bytes }, ramBytes: RAM });
    for (const { address, bytes: written } of writes) {
      expect(address >= 0 && address + written.length <= RAM, label).toBe(true);
    }
    const total = writes.reduce((sum, { bytes: written }) => sum + written.length, 0);
    expect(total, label).toBeLessThanOrEqual(RAM);
    return true;
  } catch (error) {
    if (!(error instanceof LoadError)) throw new Error(`${label}: ${(error as Error).stack}`);
    expect(error.message, label).toMatch(/^kernel.+/);
    return false;
  }
}
