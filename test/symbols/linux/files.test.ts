// Symbol files of the guest's kernel: placed where the kernel runs, refused when of another build.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { GuestKernel } from "../../../debug-adapter/images/guest-kernel.ts";
import { type Image, Images, readImage } from "../../../debug-adapter/images.ts";
import { nodeFiles } from "../../../debug-adapter/node/node-files.ts";
import { KernelBytes } from "../../../symbols/linux/kernel-bytes.ts";
import { slideByBanner } from "../../../symbols/linux/kernel-file.ts";
import type { KernelSymbols } from "../../../symbols/linux/kernel-symbols.ts";
import { readKernel } from "../../../symbols/linux/read-kernel.ts";
import { makeGuests } from "../../harness/linux-guest.ts";
import { KernelBoot } from "./kernel-boot.ts";

const LINKED = 0xffffffff_81000000n;
const folder = mkdtempSync(join(tmpdir(), "minvisor-kernel-"));
afterAll(() => rmSync(folder, { recursive: true }));

let boot: KernelBoot;
let slide: bigint;
let symbols: KernelSymbols;

beforeAll(() => {
  makeGuests();
  boot = new KernelBoot();
  boot.runToKernel();
  slide = boot.image!.slide!;
  symbols = boot.image!.parts.symbols as KernelSymbols;
}, 600_000);

let told: string[];
beforeEach(() => {
  told = [];
});

const read = (path: string): Promise<Image> =>
  readImage(
    { path, bytes: new Uint8Array(readFileSync(path)), world: "host" },
    { sourceMap: new Map(), cwd: folder },
    nodeFiles,
  );

/** A debugger that has the file and comes to the machine as it stands. */
function attach(file: Image): Debuggee {
  const { machine, configuration } = boot.debuggee;
  const debuggee = new Debuggee(machine, new Images([file]), configuration);
  const kernel = new GuestKernel(debuggee);
  kernel.tell = (text) => told.push(text);
  kernel.look();
  return debuggee;
}

/** The kernel's symbols as its build would list them, and one more that only the file has. */
function systemMap(change = (address: bigint, _name: string) => address): string {
  const [start] = symbols.symbols.named("start_kernel");
  const lines = [...symbols.symbols.lines()].map(({ name, address, letter }) => {
    const own = `${change(address, name).toString(16).padStart(16, "0")} ${letter} ${name}\n`;
    return address === start!.address ? own + own.replace("start_kernel", "only_in_the_file") : own;
  });
  const path = join(folder, "System.map");
  writeFileSync(path, lines.join(""));
  return path;
}

function elf(buildId: string, start = LINKED): string {
  const [source, path] = [join(folder, "file.s"), join(folder, "vmlinux")];
  writeFileSync(source, ".globl _text, only_in_the_file\n_text: nop\nonly_in_the_file: ret\n");
  const places = ["start_kernel", "entry_SYSCALL_64", "init_task", "_end", "linux_banner"];
  const defined = places.map((name) => {
    const { address } = symbols.symbols.named(name)[0]!;
    return `-Wl,--defsym=${name}=0x${(address - LINKED + start).toString(16)}`;
  });
  const link = [
    `-Wl,-Ttext=0x${start.toString(16)}`,
    "-Wl,-e,_text",
    `-Wl,--build-id=0x${buildId}`,
  ];
  execFileSync("gcc", ["-nostdlib", "-static", ...link, ...defined, "-o", path, source]);
  return path;
}

test("where a System.map's kernel runs is known when the kernel is up", async () => {
  const file = await read(systemMap());
  expect(file.slide).toBeUndefined();
  const { images } = attach(file);
  expect(images.all.map(({ name, slide }) => [name, slide])).toEqual([["System.map", slide]]);
  const [place] = images.all[0]!.symbols.functionsNamed("only_in_the_file");
  expect(place?.address).toBe(boot.address("start_kernel"));
  // What the file has not, the kernel has.
  expect(images.all[0]!.symbols.typeNamed("struct task_struct")?.kind).toBe("struct");
});

test("a System.map of another build is refused, and the kernel's own symbols serve", async () => {
  const file = await read(systemMap((at, name) => (name === "init_task" ? at + 64n : at)));
  const { images } = attach(file);
  expect(images.all.map(({ name, slide }) => [name, slide])).toEqual([
    ["System.map", undefined],
    ["vmlinux", slide],
  ]);
  expect(told).toHaveLength(2);
  expect(told[1]).toBe(
    `${file.path} is of another build than the kernel in the guest (init_task lies elsewhere in it): ` +
      "its symbols are not used. Give the file of this build.",
  );
});

test("an ELF file is placed by _text, wherever it is linked, and known by its build id", async () => {
  for (const start of [LINKED, LINKED + 0x100_0000n]) {
    const { images } = attach(await read(elf(symbols.buildId!, start)));
    const [image] = images.all;
    expect(image!.slide).toBe(slide - (start - LINKED));
    expect(image!.symbols.functionAt(LINKED + slide + 1n)?.name).toBe("only_in_the_file");
    expect(told.filter((text) => text.includes("another build"))).toEqual([]);
    // The kernel's own unwind tables are asked at the place that the running kernel has for it.
    const state = { register: () => 0x1000n, readMemory: () => new Uint8Array(8).fill(7) };
    expect(image!.symbols.unwind(boot.address("vfs_read"), state).kind).toBe("caller");
    expect(image!.symbols.unwind(boot.address("ret_from_fork") + 33n, state).kind).toBe("end");
  }
});

test("an ELF file with another build id is refused", async () => {
  const other = "00112233445566778899aabbccddeeff00112233";
  const { images } = attach(await read(elf(other)));
  expect(images.all[0]!.slide).toBeUndefined();
  expect(told.join(" ")).toContain(`its build id is ${other}, the kernel's is ${symbols.buildId}`);
});

test("without a table of symbols in the kernel a file is placed by its version text", async () => {
  const file = await read(elf(symbols.buildId!));
  const start = boot.address("_text");
  const length = Number(boot.address("_end") - start);
  const whole = new KernelBytes(start, boot.debuggee.readLinear(boot.world, start, length));
  expect(readKernel(whole)?.slide).toBe(slide);
  const banner = Number(boot.address("linux_banner") - start);
  const only = new Uint8Array(length);
  only.set(whole.bytes.subarray(banner, banner + 64), banner);
  expect(readKernel(new KernelBytes(start, only))).toBeUndefined();
  expect(slideByBanner(file.parts.symbols, new KernelBytes(start, only))).toBe(slide);
});

test("looking for the kernel leaves no trace in the machine", () => {
  const alone = new KernelBoot({ isWatched: false });
  alone.booted.runToEnd(boot.machine.icount);
  expect(alone.machine.icount).toBe(boot.machine.icount);
  expect(alone.machine.stateHash()).toBe(boot.machine.stateHash());
}, 120_000);

test("a line that is no symbol is named", async () => {
  const path = join(folder, "System.map");
  writeFileSync(path, "ffffffff81000000 T _text\nwhat is this\n");
  await expect(read(path)).rejects.toThrow(`${path}: line 2 is no symbol as nm prints it`);
});
