/** Machines that boot Debian's kernel under MinVisor, for benchmarks. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootImage, loadKernel, Machine } from "../../emulator/index.ts";
import { KERNEL_ARGUMENTS as KERNELS, LONG_WORK } from "../../scripts/guest-linux.mjs";

export const KERNEL_ARGUMENTS = `${KERNELS} ${LONG_WORK}`;
const RAM_BYTES = 512 * 2 ** 20;

export interface Files {
  readonly minvisor: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Where the build and guest:linux leave the images. Throws a sentence if one is missing. */
export function linuxFiles(repository: string): Files {
  return {
    minvisor: join(repository, "minvisor/build/minvisor.elf"),
    kernel: join(repository, "cache/linux/vmlinuz"),
    initrd: join(repository, "cache/linux/initrd.cpio"),
  };
}

const read = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(name)) });

export function linuxImage(files: Files, append = ""): BootImage {
  return loadKernel({
    kernel: read(files.minvisor),
    append,
    modules: [{ ...read(files.kernel), args: KERNEL_ARGUMENTS }, read(files.initrd)],
    ramBytes: RAM_BYTES,
  });
}

export function linuxMachine(image: BootImage): Machine {
  const machine = new Machine({ ramBytes: RAM_BYTES });
  machine.load(image);
  return machine;
}
