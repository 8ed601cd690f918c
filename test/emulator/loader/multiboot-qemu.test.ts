// What a multiboot kernel finds in memory on QEMU and after our loader: the same, address by address.

import { expect, test } from "vitest";
import { loadKernel } from "../../../emulator/loader/load-kernel.ts";
import { dumpOnQemu, RAM_MIB } from "../../harness/console-dump.ts";
import { buildImage, multibootSource } from "./build-image.ts";

const RAM = RAM_MIB * 2 ** 20;
const LOW_BYTES = 0x1_0000;
const HIGH = 0x10_0000;
const HIGH_BYTES = 0x8000;

/** Prints EBX, EAX, ESP and two pieces of memory on the debug console, then leaves QEMU. */
const DUMP = `
  mov %eax, registers + 4
  mov %ebx, registers
  mov $0xe9, %edx
  cld
  mov $registers, %esi
  mov $8, %ecx
  rep outsb
  xor %esi, %esi
  mov $${LOW_BYTES}, %ecx
  rep outsb
  mov $${HIGH}, %esi
  mov $${HIGH_BYTES}, %ecx
  rep outsb
  mov $0xf4, %edx
  out %al, %dx
  hlt
.data
registers: .long 0, 0
.text`;

const MODULES = [
  { name: "first", args: "console=ttyS0 a=b", bytes: new Uint8Array(5000).fill(0x11) },
  { name: "second", bytes: new Uint8Array(4096).fill(0x22) },
  { name: "third", args: "x", bytes: new Uint8Array(1).fill(0x33) },
];

interface Boot {
  readonly eax: number;
  readonly ebx: number;
  readonly u32: (at: number) => number;
  readonly text: (at: number) => string;
  readonly byte: (at: number) => number;
}

function boot(eax: number, ebx: number, low: Uint8Array, high: Uint8Array): Boot {
  const byte = (at: number) => (at >= HIGH ? high[at - HIGH] : low[at]) ?? 0;
  const u32 = (at: number) => [3, 2, 1, 0].reduce((value, i) => value * 256 + byte(at + i), 0);
  const text = (at: number) => {
    let out = "";
    for (let i = at; byte(i); i++) out += String.fromCharCode(byte(i));
    return out;
  };
  return { eax, ebx, u32, text, byte };
}

/** What the specification promises, without QEMU's boot device and its tables at the end of RAM. */
function promised({ eax, ebx, u32, text, byte }: Boot) {
  const table = u32(ebx + 24);
  const modules = Array.from({ length: u32(ebx + 20) }, (_, i) => {
    const start = u32(table + 16 * i);
    const string = text(u32(table + 16 * i + 8));
    return { start, end: u32(table + 16 * i + 4), string, first: byte(start) };
  });
  return {
    ...{ eax, ebx, table, modules },
    flags: u32(ebx) & ~2,
    commandLine: text(u32(ebx + 16)),
  };
}

test("kernel, modules, strings and information lie where QEMU puts them", () => {
  const kernel = buildImage(multibootSource(3, "", DUMP));
  const dump = dumpOnQemu(kernel, { modules: MODULES, arguments: ["-append", "hello"] });
  expect(dump.length).toBe(8 + LOW_BYTES + HIGH_BYTES);
  const registers = new DataView(dump.buffer, 0, 8);
  const theirs = boot(
    registers.getUint32(4, true),
    registers.getUint32(0, true),
    dump.subarray(8, 8 + LOW_BYTES),
    dump.subarray(8 + LOW_BYTES),
  );
  const image = loadKernel({
    kernel: { name: "kernel", bytes: kernel },
    append: "hello",
    modules: MODULES,
    ramBytes: RAM,
  });
  const memory = new Uint8Array(RAM);
  for (const { address, bytes } of image.writes) memory.set(bytes, address);
  const { eax, ebx } = image.entry.registers;
  const ours = boot(eax!, ebx!, memory, memory.subarray(HIGH));
  expect(promised(ours)).toEqual(promised(theirs));
});
