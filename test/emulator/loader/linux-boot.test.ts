// Linux bzImages: a setup header made by hand, placement of kernel and initrd, and bad images.
import { expect, test } from "vitest";
import type { LoadOptions } from "../../../emulator/loader/boot-image.ts";
import { LoadError } from "../../../emulator/loader/load-error.ts";
import { loadKernel } from "../../../emulator/loader/load-kernel.ts";
import { loadRom } from "../../../emulator/loader/rom.ts";

const MIB = 1024 * 1024;
const CODE = 0x8000;

/** A bzImage with four setup sectors and 32 KiB of code, as protocol 2.15 has it. */
function bzImage(change: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(5 * 512 + CODE).fill(0xcc, 5 * 512);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, 4);
  view.setUint32(0x1f4, CODE / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x6a);
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x020f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, 0x10_0000, true);
  view.setUint32(0x22c, 0x7fff_ffff, true);
  view.setUint8(0x234, 1);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x100_0000n, true);
  view.setUint32(0x260, 16 * MIB, true);
  change(view);
  return bytes;
}
const load = (bytes: Uint8Array, more: Partial<LoadOptions> = {}) =>
  loadKernel({ kernel: { name: "vmlinuz", bytes }, ramBytes: 64 * MIB, ...more });

test("kernel, zero page, command line, initrd, entry state", () => {
  const initrd = { name: "initrd", bytes: new Uint8Array(5000).fill(1) };
  const image = load(bzImage(), { append: "console=ttyS0", modules: [initrd] });
  const find = (what: string) => image.writes.find((write) => write.what === what)!;
  expect(find("vmlinuz").address).toBe(0x10_0000);
  expect(find("vmlinuz").bytes.length).toBe(CODE);
  expect(find("initrd").address).toBe(64 * MIB - 8192);
  expect(new TextDecoder().decode(find("command line").bytes)).toBe("console=ttyS0\0");
  const page = new DataView(find("boot parameters").bytes.buffer);
  const u32 = (at: number) => page.getUint32(at, true);
  expect(page.byteLength).toBe(4096);
  expect([u32(0x202), page.getUint8(0x210), u32(0x228)]).toEqual([0x5372_6448, 0xff, 0x2_0000]);
  expect([u32(0x218), u32(0x21c)]).toEqual([64 * MIB - 8192, 5000]);
  expect(u32(0x070)).toBe(0xf_0000);
  const ranges = Array.from({ length: page.getUint8(0x1e8) }, (_, i) =>
    [0, 8, 16].map((field) => u32(0x2d0 + 20 * i + field)),
  );
  expect(ranges).toEqual([
    [0, 0x9_fc00, 1],
    [0x9_fc00, 0x400, 2],
    [0xf_0000, 0x1_0000, 2],
    [0x10_0000, 63 * MIB, 1],
  ]);
  expect(image.entry).toMatchObject({ mode: "protected", eip: 0x10_0000 });
  expect(image.entry.registers).toEqual({ esi: 0x1_0000 });
  expect([image.entry.cs.selector, image.entry.data.selector]).toEqual([0x10, 0x18]);
});

test("the initrd stays below what the kernel allows", () => {
  const low = bzImage((view) => view.setUint32(0x22c, 0x2ff_ffff, true));
  const initrd = { name: "initrd", bytes: new Uint8Array(4096) };
  const image = load(low, { modules: [initrd] });
  expect(image.writes.at(-1)!.address).toBe(0x2ff_f000);
});

test("bad images: one sentence with the file and the reason", () => {
  const message = (bytes: Uint8Array, more?: Partial<LoadOptions>) => {
    try {
      load(bytes, more);
    } catch (error) {
      expect(error).toBeInstanceOf(LoadError);
      return (error as Error).message;
    }
    return "no error";
  };
  const big = { name: "initrd", bytes: new Uint8Array(40 * MIB) };
  const small = { name: "second", bytes: new Uint8Array(1) };
  expect(message(bzImage((view) => view.setUint16(0x1fe, 0, true)))).toMatch(/no 0xAA55 mark$/);
  expect(message(bzImage((view) => view.setUint16(0x206, 0x0203, true)))).toMatch(
    /^vmlinuz has Linux boot protocol 2.03; 2.10 or later is needed$/,
  );
  expect(message(bzImage((view) => view.setUint8(0x211, 0)))).toMatch(/is a zImage/);
  expect(message(bzImage().slice(0, 20_000))).toBe(
    `vmlinuz is truncated: its header promises ${5 * 512 + CODE} bytes, it has 20000`,
  );
  expect(message(bzImage(), { ramBytes: 16 * MIB })).toMatch(/^vmlinuz does not fit in 16 MiB/);
  expect(message(bzImage(), { append: "x".repeat(2048) })).toMatch(
    /longer than its 2047 characters$/,
  );
  expect(message(bzImage(), { modules: [big] })).toMatch(
    /^Module initrd does not fit between the kernel's end 0x2000000 and 0x4000000$/,
  );
  expect(message(bzImage(), { modules: [small, small] })).toMatch(/^second is a second module/);
});

test("a ROM starts at the reset vector and appears below 1 MiB and below 4 GiB", () => {
  const image = loadRom({ name: "bios.bin", bytes: new Uint8Array(256 * 1024).fill(0x90) });
  expect(image.rom!.address).toBe(0xfffc_0000);
  expect(image.writes[0]!.address).toBe(0xe_0000);
  expect(image.entry.cs.base + image.entry.eip).toBe(0xffff_fff0);
  expect(() => loadRom({ name: "x", bytes: new Uint8Array(1000) })).toThrow(
    /^x is not a ROM image: 1000 bytes is not a multiple of 64 KiB up to 16 MiB$/,
  );
});
