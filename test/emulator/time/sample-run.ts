// MinVisor with the sample guest, for tests of time: exits, interrupts, HLT, paging switched on, port I/O.

import { readFileSync } from "node:fs";
import { type LoadOptions, loadKernel, Machine } from "../../../emulator/index.ts";
import { inRepository } from "../../harness/dap-adapter.ts";

const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(inRepository(name))) });

const SAMPLE_RAM = 512 * 2 ** 20;

export const sampleFiles = (): LoadOptions => ({
  kernel: file("minvisor/build/minvisor.elf"),
  modules: [file("test/guests/build/sample.bin")],
  ramBytes: SAMPLE_RAM,
});

/** A machine at the first instruction of MinVisor. */
export function sampleMachine(): Machine {
  const machine = new Machine({ ramBytes: SAMPLE_RAM });
  machine.load(loadKernel(sampleFiles()));
  return machine;
}

export function drain<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
