/** MinVisor machines for the tests of invariants: images, sources and the lines marked in them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BootImage, loadKernel, Machine, type ModuleFile } from "../../emulator/index.ts";
import { Program } from "../../invariants/program.ts";
import {
  MINVISOR_ELF,
  PAE_HYPERVISOR,
  PAE_WARD,
  SAMPLE_GUEST,
  type SeededBug,
  seededBugElf,
} from "../../scripts/build-minvisor.mjs";

import { ProgramSymbols } from "../../symbols/program.ts";

const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");
const RAM_BYTES = 512 << 20;
/** MinVisor's region, by its layout.h. */
export const REGION = { first: 0x1000_0000, bytes: 0x40_0000 };

export const read = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(join(repository, path)));

export const elfOf = (bug?: SeededBug): string =>
  bug === undefined ? MINVISOR_ELF : seededBugElf(bug);

export function imageOf(elf: string, modules?: readonly ModuleFile[], append?: string): BootImage {
  return loadKernel({
    kernel: { name: elf, bytes: read(elf) },
    modules: modules ?? [{ name: "sample.bin", bytes: read(SAMPLE_GUEST) }],
    ...(append === undefined ? {} : { append }),
    ramBytes: RAM_BYTES,
  });
}

/** The second hypervisor of our own: a 32-bit PAE host. */
export const paeHypervisor = (): BootImage =>
  imageOf(PAE_HYPERVISOR, [{ name: "ward.bin", bytes: read(PAE_WARD) }]);

/** The names of an image's file. */
export function programOf(elf: string): Program {
  const bytes = read(elf);
  return Program.of(new ProgramSymbols(bytes, elf), elf, bytes);
}

export function machineWith(image: BootImage): Machine {
  const machine = new Machine({ ramBytes: RAM_BYTES });
  machine.load(image);
  return machine;
}

/** Where a seeded bug's wrong line is, and where its culprit: an instruction of a function that the line calls. */
export function placesOf(bug: SeededBug): { readonly marked: Place; readonly culprit: Place } {
  const [file] = readdirSync(join(repository, "test/seeded-bugs", bug));
  const path = `test/seeded-bugs/${bug}/${file}`;
  const marked = { path, line: culpritLine(path) };
  return { marked, culprit: CALLED[bug] ?? marked };
}

interface Place {
  readonly path: string;
  readonly line: number;
}

const MSR_ACCESS = "minvisor/msr_access.S";
const CALLED: { readonly [Bug in SeededBug]?: Place } = {
  "blind-wrmsr": { path: MSR_ACCESS, line: lineOf(MSR_ACCESS, (line) => line === "  wrmsr") },
};

/** Number of the one line that ends in `// culprit`. */
export function culpritLine(source: string): number {
  return lineOf(source, (line) => line.endsWith("// culprit"));
}

/** Number of the one line that is meant. */
function lineOf(source: string, isMeant: (line: string) => boolean): number {
  const lines = readFileSync(join(repository, source), "utf8").split("\n");
  const meant = lines.flatMap((line, i) => (isMeant(line) ? [i + 1] : []));
  if (meant.length !== 1) throw new Error(`${source} has ${meant.length} lines that are meant`);
  return meant[0] as number;
}
