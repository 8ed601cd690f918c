// Builds the fixture programs with gcc and runs the tools that tests compare with.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

export const fixtures = join(dirname(fileURLToPath(import.meta.url)), "fixtures");

export interface Build {
  /** For test names, e.g. "m64 dwarf5 -O2". */
  readonly name: string;
  readonly bits: 32 | 64;
  readonly dwarf: number;
  readonly optimise: string;
  readonly flags: readonly string[];
  /** In fixtures/; main.c if it does not say. */
  readonly source?: string;
}

export interface Built extends Build {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export function build(bits: 32 | 64, dwarf: number, optimise: string, ...flags: string[]): Build {
  const name = [`m${bits}`, `dwarf${dwarf}`, optimise, ...flags].join(" ");
  return { name, bits, dwarf, optimise, flags };
}

/** The same build of another fixture. */
export function buildOf(source: string, wanted: Build): Build {
  return { ...wanted, name: `${source} ${wanted.name}`, source };
}

/** MinVisor's: call frame information in .debug_frame only. */
export const MINVISOR_FLAGS = ["-fno-asynchronous-unwind-tables", "-fno-omit-frame-pointer"];

/** What hypervisors are built with, and what is most different from it. */
export const BUILDS: readonly Build[] = [
  build(64, 5, "-O0"),
  build(64, 5, "-Og"),
  build(64, 5, "-O2"),
  build(64, 5, "-Og", ...MINVISOR_FLAGS),
  build(64, 4, "-O0"),
  build(64, 4, "-Og"),
  build(64, 4, "-O2"),
  build(64, 4, "-O2", "-fdebug-types-section"),
  build(64, 5, "-Og", "-fdebug-types-section", "-gz=zlib"),
  build(32, 5, "-O2"),
  build(32, 4, "-O2", "-fomit-frame-pointer"),
  build(32, 4, "-O0"),
];

const made = new Map<string, Built>();
let folder: string | undefined;

afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Builds a fixture and entry.S into a static program without a C library; each build once. */
export function compile(wanted: Build): Built {
  const known = made.get(wanted.name);
  if (known) return known;
  folder ??= mkdtempSync(join(tmpdir(), "symbols-"));
  const path = join(folder, wanted.name.replaceAll(" ", "_"));
  run("gcc", [
    `-m${wanted.bits}`,
    "-g",
    `-gdwarf-${wanted.dwarf}`,
    wanted.optimise,
    ...["-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie", "-nostdlib", "-static"],
    ...["-Wl,--build-id"],
    ...wanted.flags,
    ...["-o", path, join(fixtures, "entry.S"), join(fixtures, wanted.source ?? "main.c")],
  ]);
  const built = { ...wanted, path, bytes: new Uint8Array(readFileSync(path)) };
  made.set(wanted.name, built);
  return built;
}

export function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** gdb writes "unsigned long" for what gcc names "long unsigned int". */
export function gdbSpelling(name: string): string {
  return name
    .replace(/\b((?:long )+|short )unsigned int\b/g, "unsigned $1")
    .replace(/\b(long|short) int\b/g, "$1")
    .replace(/(unsigned (?:long|short)(?: long)?) (?=$|[,)])/g, "$1");
}
