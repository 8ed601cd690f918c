// Multiboot kernels: headers, placement, the information structure, and what is wrong with bad files.
import { expect, test } from "vitest";
import type { BootImage, LoadOptions, MemoryWrite } from "../../../emulator/loader/boot-image.ts";
import { LoadError } from "../../../emulator/loader/load-error.ts";
import { loadKernel } from "../../../emulator/loader/load-kernel.ts";
import { buildImage, multibootSource } from "./build-image.ts";

const MIB = 1024 * 1024;
const RAM = 64 * MIB;
const ADDRESSES = ".long header, 0x100000, 0, end, start";

const elf32 = buildImage(multibootSource(3));
const elf64 = buildImage(multibootSource(0x1_0003, ADDRESSES), {
  bits: 64,
  // The whole file is loaded, so that its first byte lies one page below the first section's.
  script: `
ENTRY(start)
SECTIONS {
  . = 0x101000;
  .text : { *(.multiboot) *(.text) *(.data) }
  .bss : ALIGN(4096) { *(.bss) }
  end = .;
  /DISCARD/ : { *(.note*) }
}`,
});

const load = (bytes: Uint8Array, more: Partial<LoadOptions> = {}) =>
  loadKernel({ kernel: { name: "kernel.elf", bytes }, ramBytes: RAM, ...more });

/** Memory as the writes leave it. */
function memoryOf(image: BootImage) {
  const memory = new Uint8Array(RAM);
  for (const { address, bytes } of image.writes) memory.set(bytes, address);
  const view = new DataView(memory.buffer);
  const text = (at: number) => {
    let end = at;
    while (memory[end]) end++;
    return new TextDecoder().decode(memory.subarray(at, end));
  };
  return { memory, u32: (at: number) => view.getUint32(at, true), text };
}

test("an ELF32 kernel is loaded by its segments and entered in flat protected mode", () => {
  const image = load(elf32);
  const { u32 } = memoryOf(image);
  expect(u32(0x10_0000)).toBe(0x1bad_b002);
  expect(u32(0x10_1000)).toBe(0x1234_5678);
  expect(image.entry.eip).toBe(0x10_000c);
  expect(image.entry.registers).toEqual({ eax: 0x2bad_b002, ebx: 0x9500 });
  expect(image.entry.cs).toEqual({ selector: 8, base: 0, limit: 0xffff_ffff, attributes: 0xc9b });
  expect(image.entry.data.selector).toBe(0x10);
  const { base } = image.entry.gdtr;
  expect([u32(base + 8), u32(base + 12)]).toEqual([0xffff, 0x00cf_9b00]);
  expect([u32(base + 16), u32(base + 20)]).toEqual([0xffff, 0x00cf_9300]);
});

test("an ELF64 kernel is loaded by the addresses in its header (flag 16)", () => {
  const image = load(elf64);
  const { u32, memory } = memoryOf(image);
  const at = image.writes.find(({ what }) => what === "kernel.elf")!;
  expect(at.address).toBe(0x10_0000);
  expect(u32(0x10_1000)).toBe(0x1bad_b002);
  expect(memory[image.entry.eip]).toBe(0xf4);
});

test("an ELF64 kernel without flag 16 is loaded by its segments", () => {
  const image = load(buildImage(multibootSource(3), { bits: 64 }));
  expect(memoryOf(image).memory[image.entry.eip]).toBe(0xf4);
});

test.each([
  ["a virtual entry point is taken to where its segment is loaded", "ENTRY(start)"],
  ["a physical entry point is where it says", "ENTRY(low) low = start - 0xc0000000;"],
])("%s", (_, entry) => {
  const script = `
${entry}
SECTIONS {
  . = 0xc0200000;
  .text : AT(0x200000) { *(.multiboot) *(.text) *(.data) *(.bss) }
  /DISCARD/ : { *(.note*) }
}`;
  const image = load(buildImage(multibootSource(3), { script }));
  expect(image.entry.eip).toBe(0x20_000c);
});

test("information: memory, command line, loader name", () => {
  const image = load(elf32, { append: "intercept=io a=b" });
  const { u32, text } = memoryOf(image);
  expect(u32(0x9500)).toBe(0x24d);
  expect([u32(0x9504), u32(0x9508)]).toEqual([639, 63 * 1024]);
  expect(text(u32(0x9510))).toBe("kernel.elf intercept=io a=b");
  expect(text(u32(0x9540))).toBe("minvisor");
  const [length, map] = [u32(0x952c), u32(0x9530)];
  const entries = Array.from({ length: length / 24 }, (_, i) =>
    [0, 4, 8, 12, 16, 20].map((field) => u32(map + 24 * i + field)),
  );
  expect(entries).toEqual([
    [20, 0, 0, 0x9_fc00, 0, 1],
    [20, 0x9_fc00, 0, 0x400, 0, 2],
    [20, 0xf_0000, 0, 0x1_0000, 0, 2],
    [20, 0x10_0000, 0, RAM - 0x10_0000, 0, 1],
  ]);
});

test("modules lie on pages after the kernel, each with its string", () => {
  const modules = [
    { name: "my kernel", bytes: new Uint8Array(5000).fill(7), args: "console=ttyS0 quiet" },
    { name: "empty", bytes: new Uint8Array(0) },
    { name: "initrd", bytes: new Uint8Array(100).fill(9), args: "" },
  ];
  const image = load(elf32, { modules });
  const { memory, u32, text } = memoryOf(image);
  expect(u32(0x9514)).toBe(3);
  const table = u32(0x9518);
  expect(table).toBe(0x10_3000);
  const found = modules.map((_, i) => [0, 4, 8].map((field) => u32(table + 16 * i + field)));
  expect(found.map(([start, end]) => [start, end! - start!])).toEqual([
    [0x10_4000, 5000],
    [0x10_6000, 0],
    [0x10_6000, 100],
  ]);
  expect(found.map(([, , string]) => text(string!))).toEqual([
    "my kernel console=ttyS0 quiet",
    "empty",
    "initrd",
  ]);
  expect([memory[0x10_4000], memory[0x10_4000 + 4999], memory[0x10_6063]]).toEqual([7, 7, 9]);
});

test("writes of one image never lie on each other", () => {
  const image = load(elf32, { modules: [{ name: "m", bytes: new Uint8Array(10) }] });
  const sorted = [...image.writes].sort((a, b) => a.address - b.address);
  for (const [i, next] of sorted.entries()) {
    const before: MemoryWrite | undefined = sorted[i - 1];
    if (before) expect(before.address + before.bytes.length).toBeLessThanOrEqual(next.address);
  }
});

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    return (error as Error).message;
  }
  return "no error";
};
function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}
const headerAt = (bytes: Uint8Array) => {
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (view.getUint32(at, true) !== 0x1bad_b002) at += 4;
  return at;
};

test("bad kernels: one sentence with the file and the reason", () => {
  const cases: [bytes: Uint8Array, expected: RegExp][] = [
    [new Uint8Array(0), /^kernel.elf is empty$/],
    [new TextEncoder().encode("#!/bin/sh\n"), /neither a multiboot kernel .* nor a Linux bzImage$/],
    [changed(elf32, headerAt(elf32) + 8, 1), /neither a multiboot kernel/],
    [elf32.slice(0, 0x1010), /^kernel.elf is truncated: an ELF segment ends after the end/],
    [changed(elf32, 0x1c, elf32.length), /^kernel.elf is truncated in its ELF program headers$/],
    [changed(elf32, 0, 0x1234), /without load addresses \(flag 16\) and is not an ELF file$/],
    [changed(elf32, 16, 0x0028_0002), /for another machine \(number 40\), not x86$/],
    [changed(elf32, 16, 0x0003_0001), /is not an executable ELF file$/],
    [changed(elf32, 24, 0xdead_0000), /has an entry point outside its ELF segments$/],
    [
      changed(elf32, 0x34 + 12, RAM - 4),
      /does not fit in 64 MiB of memory: it would end at 0x4000/,
    ],
    [
      // Both segments take all the memory that is left, and lie on each other.
      changed(changed(elf32, 0x34 + 20, RAM - 2 * MIB), 0x54 + 20, RAM - 2 * MIB),
      /^kernel.elf does not fit in 64 MiB of memory: its segments take 124 MiB$/,
    ],
    [changed(elf32, 0x34 + 12, 0xa_0000), /would lie on the PC's reserved area/],
    [changed(elf32, 0x34 + 12, 0x9500), /would lie on the multiboot information at 0x9500$/],
    [elf64.slice(0, 0x1010), /neither a multiboot kernel|truncated/],
    [changed(elf64, headerAt(elf64) + 20, 0x200_0000), /its multiboot header asks for \d+ bytes$/],
    [changed(elf64, headerAt(elf64) + 24, 0xffff_f000), /does not fit in 64 MiB/],
    [changed(elf64, headerAt(elf64) + 16, 0x20_0000), /load address that is not inside the file$/],
  ];
  for (const [bytes, expected] of cases) expect(message(() => load(bytes))).toMatch(expected);
});

test("unknown required features and modules that do not fit", () => {
  const unknown = buildImage(multibootSource(0x13));
  expect(message(() => load(unknown))).toMatch(
    /requires unknown multiboot features \(flags 0x10\)$/,
  );
  const modules = [{ name: "huge.img", bytes: new Uint8Array(RAM) }];
  expect(message(() => load(elf32, { modules }))).toMatch(
    /^Module huge.img does not fit in 64 MiB of memory: it would end at 0x\w+$/,
  );
});
