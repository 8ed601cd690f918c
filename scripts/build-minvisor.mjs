// Builds MinVisor, our own guests and the MinVisors with a seeded bug, with gcc, ld and objcopy.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What the build makes, by path from the repository. */
export const MINVISOR_ELF = "minvisor/build/minvisor.elf";
export const SAMPLE_GUEST = "test/guests/build/sample.bin";
export const LOOPS_GUEST = "test/guests/build/loops.bin";
export const LOOPS_GUEST_ELF = "test/guests/build/loops.elf";
export const LONG_MODE_GUEST = "test/guests/build/long-mode.elf";
export const PAE_HYPERVISOR = "test/guests/build/pae-hypervisor.elf";
export const PAE_WARD = "test/guests/build/pae-hypervisor-guest.bin";
export const PAE_WARD_ELF = "test/guests/build/pae-hypervisor-guest.elf";
export const HOSTILE_GUEST = "test/guests/build/hostile.bin";
/** A folder each. */
export const SEEDED_BUGS = readdirSync(join(repository, "test/seeded-bugs")).filter(
  (name) => name !== "build",
);
export const seededBugElf = (bug) => `test/seeded-bugs/build/${bug}.elf`;

/** Paths in the DWARF are relative to the repository, so that any machine finds the sources. */
const DEBUG_FLAGS = ["-g", "-gdwarf-5", `-ffile-prefix-map=${repository}=.`];

/** No FPU or SSE register is touched (-mgeneral-regs-only): the guest's stay in the CPU. */
const C_FLAGS = [
  ...["-std=gnu11", "-Og", "-ffreestanding", "-fno-pic", "-fno-pie", "-mcmodel=small"],
  ...["-mno-red-zone", "-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none"],
  ...["-fno-asynchronous-unwind-tables", "-fno-omit-frame-pointer"],
  ...["-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes"],
  ...DEBUG_FLAGS,
];

const LD_FLAGS = [
  ...["-nostdlib", "-static", "-z", "max-page-size=4096"],
  ...["-z", "noexecstack", "--no-warn-rwx-segments", "--build-id=none"],
];

function run(command, args) {
  try {
    execFileSync(command, args, { cwd: repository, stdio: ["ignore", "pipe", "inherit"] });
  } catch (error) {
    if (error.code !== "ENOENT") process.exit(1); // the tool itself has said why
    console.error(`build:minvisor needs ${command}; install the Debian packages gcc and binutils.`);
    process.exit(2);
  }
}

const sourcesIn = (folder) =>
  readdirSync(join(repository, folder))
    .filter((name) => /\.(c|S)$/.test(name))
    .map((name) => `${folder}/${name}`);

function compile(source, buildFolder, includeFolder, extraFlags = []) {
  const object = `${buildFolder}/${basename(source)}.o`;
  const flags = source.endsWith(".c") ? C_FLAGS : DEBUG_FLAGS;
  run("gcc", [...flags, ...extraFlags, `-I${includeFolder}`, "-c", source, "-o", object]);
  return object;
}

/** Links with a script that goes through the C preprocessor first, so that it knows layout.h. */
function link(objects, script, elf, emulation = "elf_x86_64") {
  const expanded = `${elf}.ld`;
  const include = dirname(script);
  run("gcc", ["-E", "-P", "-x", "c", `-I${include}`, script, "-o", expanded]);
  run("ld", ["-m", emulation, ...LD_FLAGS, "-T", expanded, ...objects, "-o", elf]);
}

/**
 * The address fields of a multiboot header say "as in the file, so in memory": checks that the
 * bytes of the first segment do lie in the file as they lie in memory, from the header on.
 */
function checkImageSegment(elf) {
  const file = readFileSync(join(repository, elf));
  const header = Number(file.readBigUInt64LE(32)); // e_phoff
  const offset = Number(file.readBigUInt64LE(header + 8));
  const magic = file.indexOf(Buffer.from([0x02, 0xb0, 0xad, 0x1b]));
  if (magic !== offset)
    throw new Error(
      `${elf}: multiboot header at ${magic}, image segment at ${offset}; see link.ld`,
    );
}

function buildMinVisor() {
  const folder = "minvisor/build";
  mkdirSync(join(repository, folder), { recursive: true });
  const objects = new Map(
    sourcesIn("minvisor").map((source) => [basename(source), compile(source, folder, "minvisor")]),
  );
  link([...objects.values()], "minvisor/link.ld", MINVISOR_ELF);
  checkImageSegment(MINVISOR_ELF);
  return objects;
}

/** MinVisor with the one file of a seeded bug in place of its own file of the same name. */
function buildSeededBug(bug, objects) {
  const folder = `test/seeded-bugs/build/${bug}`;
  mkdirSync(join(repository, folder), { recursive: true });
  const replaced = new Map(objects);
  for (const source of sourcesIn(`test/seeded-bugs/${bug}`)) {
    if (!objects.has(basename(source)))
      throw new Error(`${source} replaces no file of minvisor/; give it the name of one`);
    replaced.set(basename(source), compile(source, folder, "minvisor"));
  }
  link([...replaced.values()], "minvisor/link.ld", seededBugElf(bug));
}

/** A guest of ours: an ELF64 with DWARF, from which objcopy takes what is loaded. */
function buildGuest(name, objcopyArguments) {
  const source = `test/guests/${name}`;
  const folder = `test/guests/build/${name}`;
  mkdirSync(join(repository, folder), { recursive: true });
  const objects = sourcesIn(source).map((file) => compile(file, folder, "minvisor"));
  const elf = `test/guests/build/${name}.elf`;
  link(objects, `${source}/link.ld`, elf);
  run("objcopy", [...objcopyArguments, elf, ...objcopyOutput(name, objcopyArguments)]);
}

const objcopyOutput = (name, args) =>
  args.includes("binary") ? [`test/guests/build/${name}.bin`] : [];

/** A hypervisor unlike MinVisor: 32-bit with PAE, optimised, DWARF 4, no frame pointer. */
const PAE_FLAGS = ["-m32", "-gdwarf-4", `-ffile-prefix-map=${repository}=.`];
const PAE_C_FLAGS = [
  ...["-std=gnu11", "-O2", "-ffreestanding", "-fno-pic", "-fno-pie", "-fomit-frame-pointer"],
  ...["-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none"],
  ...["-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes", ...PAE_FLAGS],
];

function buildPaeImage(source, name) {
  const folder = `test/guests/build/${name}`;
  mkdirSync(join(repository, folder), { recursive: true });
  const objects = sourcesIn(source).map((file) => {
    const object = `${folder}/${basename(file)}.o`;
    run("gcc", [...(file.endsWith(".c") ? PAE_C_FLAGS : PAE_FLAGS), "-c", file, "-o", object]);
    return object;
  });
  const elf = `test/guests/build/${name}.elf`;
  link(objects, `${source}/link.ld`, elf, "elf_i386");
  return elf;
}

function buildPaeHypervisor() {
  buildPaeImage("test/guests/pae-hypervisor", "pae-hypervisor");
  const guest = buildPaeImage("test/guests/pae-hypervisor/guest", "pae-hypervisor-guest");
  run("objcopy", ["-O", "binary", guest, PAE_WARD]);
}

function newestSource(folder) {
  const times = readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !relative(repository, path).includes("/build/"))
    .map((path) => statSync(path).mtimeMs);
  return Math.max(0, ...times);
}

/** Whether some output is missing or older than some source. */
function isStale() {
  const outputs = [
    ...[MINVISOR_ELF, SAMPLE_GUEST, LOOPS_GUEST, HOSTILE_GUEST, LONG_MODE_GUEST],
    ...[PAE_HYPERVISOR, PAE_WARD],
    ...SEEDED_BUGS.map(seededBugElf),
  ];
  if (outputs.some((path) => !existsSync(join(repository, path)))) return true;
  const oldest = Math.min(...outputs.map((path) => statSync(join(repository, path)).mtimeMs));
  const folders = ["minvisor", "test/guests", "test/seeded-bugs"];
  const script = statSync(fileURLToPath(import.meta.url)).mtimeMs;
  return Math.max(script, ...folders.map(newestSource)) > oldest;
}

/** Builds all of it where something has changed. */
export function buildAll() {
  if (!isStale()) return false;
  const objects = buildMinVisor();
  for (const bug of SEEDED_BUGS) buildSeededBug(bug, objects);
  buildGuest("sample", ["-O", "binary"]);
  buildGuest("loops", ["-O", "binary"]);
  buildGuest("hostile", ["-O", "binary"]);
  buildPaeHypervisor();
  buildGuest("long-mode", ["-I", "elf64-x86-64", "-O", "elf32-i386"]);
  return true;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const built = buildAll();
  console.log(`${built ? "built" : "up to date:"} ${MINVISOR_ELF}`);
}
