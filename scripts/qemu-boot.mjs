// Boots MinVisor's ELF on QEMU's SVM, as a second opinion on both MinVisor and our own machine.
//
//   node scripts/qemu-boot.mjs [linux|sample] [--memory 512] [--append "intercept=io,msr"]
//     [--arguments "more for Linux"] [--elf FILE] [--com2 FILE] [--counts FILE.json]

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { MINVISOR_ELF, SAMPLE_GUEST } from "./build-minvisor.mjs";
import { INITRD_PATH, KERNEL_ARGUMENTS, KERNEL_PATH } from "./guest-linux.mjs";
import { atEnd } from "./lib/at-end.mjs";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * The CPU of our own machine in QEMU's words: change it together with that machine's CPUID
 * (emulator/system/features.ts and cpuid.ts). QEMU's TCG cannot be given x2APIC, an invariant TSC,
 * and of SVM's features any but nested paging.
 */
export const QEMU_CPU_FLAGS =
  "qemu64,model-id=MinVisor Virtual CPU,level=1,xlevel=0x8000000a,-mce,-mca,-mtrr," +
  "-hypervisor,+svm,+npt,+rdtscp,+popcnt";

export const QEMU = "qemu-system-x86_64";

const fromRepository = (path) => join(repository, path);

/** Modules for MinVisor, each as the string of a multiboot module: "FILE ARGUMENTS". */
export const linuxModules = (moreArguments = "") => [
  `${KERNEL_PATH} ${KERNEL_ARGUMENTS}${moreArguments && ` ${moreArguments}`}`,
  INITRD_PATH,
];
export const sampleModules = () => [fromRepository(SAMPLE_GUEST)];

/** QEMU separates modules by commas and takes a doubled comma for one in a module's string. */
const initrdArgument = (modules) => modules.map((text) => text.replaceAll(",", ",,")).join(",");

function qemuArguments({ elf, modules, append, memory, cpu, cpus, com2Path }) {
  return [
    ...["-accel", "tcg", "-machine", "pc", "-cpu", cpu, "-m", String(memory)],
    ...["-smp", String(cpus), "-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"],
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
    ...["-serial", "stdio", "-serial", `file:${com2Path}`],
    ...["-kernel", elf],
    ...(append ? ["-append", append] : []),
    ...(modules.length > 0 ? ["-initrd", initrdArgument(modules)] : []),
  ];
}

/**
 * The counts that MinVisor prints on COM2 (minvisor/counts.c has the forms of the lines).
 * Keys: exits by AMD's name; cpuid by leaf; msrs "0xNUMBER read|write VERDICT"; ports
 * "0xNUMBER in|out VERDICT". The last report counts where there are several.
 */
export function parseCounts(com2) {
  const counts = { end: undefined, exits: {}, cpuid: {}, msrs: {}, ports: {} };
  const tables = { exit: "exits", cpuid: "cpuid", msr: "msrs", port: "ports" };
  for (const line of com2.split(/\r?\n/)) {
    const end = /^minvisor: end (?!of report)(.*)$/.exec(line);
    if (end) counts.end = end[1];
    const counter = /^minvisor: (exit|cpuid|msr|port) (.+) (\d+)$/.exec(line);
    if (counter) counts[tables[counter[1]]][counter[2]] = Number(counter[3]);
  }
  return counts;
}

/**
 * Boots and waits for the end. Resolves to { status, com1, com2, counts, timedOut }; rejects where
 * QEMU cannot be started. `onCom1` gets each piece of the guest's console as it comes.
 */
export function bootOnQemu({
  elf = fromRepository(MINVISOR_ELF),
  modules = [],
  append = "",
  memory = 512,
  cpu = QEMU_CPU_FLAGS,
  cpus = 1,
  timeoutSeconds = 120,
  onCom1 = () => {},
}) {
  const folder = mkdtempSync(join(tmpdir(), "qemu-boot-"));
  const com2Path = join(folder, "com2");
  return new Promise((resolve, reject) => {
    const qemu = spawn(QEMU, qemuArguments({ elf, modules, append, memory, cpu, cpus, com2Path }), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const forget = atEnd(() => qemu.kill("SIGKILL"));
    let com1 = "";
    let errors = "";
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      qemu.kill("SIGKILL");
    }, timeoutSeconds * 1000);
    qemu.stdout.setEncoding("latin1").on("data", (text) => {
      com1 += text;
      onCom1(text);
    });
    qemu.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    qemu.on("error", (error) => {
      forget();
      clearTimeout(timer);
      rmSync(folder, { recursive: true });
      const hint = "install the Debian package qemu-system-x86";
      reject(new Error(`${QEMU} cannot be started: ${error.message}; ${hint}`));
    });
    qemu.on("close", (status) => {
      forget();
      clearTimeout(timer);
      const com2 = readFileSync(com2Path, { encoding: "latin1", flag: "a+" });
      rmSync(folder, { recursive: true });
      if (errors && !timedOut && status === 1) reject(new Error(`${QEMU}: ${errors.trim()}`));
      else resolve({ status, com1, com2, counts: parseCounts(com2), timedOut });
    });
  });
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      memory: { type: "string", default: "512" },
      append: { type: "string", default: "" },
      arguments: { type: "string", default: "" },
      elf: { type: "string", default: fromRepository(MINVISOR_ELF) },
      com2: { type: "string" },
      counts: { type: "string" },
    },
  });
  const kind = positionals[0] ?? "linux";
  if (kind !== "linux" && kind !== "sample")
    throw new Error(`unknown guest "${kind}": give linux or sample`);
  const result = await bootOnQemu({
    elf: values.elf,
    modules: kind === "linux" ? linuxModules(values.arguments) : sampleModules(),
    append: values.append,
    memory: Number(values.memory),
    onCom1: (text) => process.stdout.write(text),
  });
  if (values.com2) writeFileSync(values.com2, result.com2);
  if (values.counts) writeFileSync(values.counts, `${JSON.stringify(result.counts, null, 2)}\n`);
  process.stderr.write(result.com2);
  process.stderr.write(
    `qemu ${result.timedOut ? "timed out" : `exited with status ${result.status}`}\n`,
  );
  process.exitCode = result.timedOut ? 1 : result.status;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 2;
  });
}
