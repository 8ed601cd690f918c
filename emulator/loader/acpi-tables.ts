/** The ACPI tables of the PC, placed in the BIOS area: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT. */

import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  PM_TIMER,
  PM1_CONTROL,
  PM1_EVENT,
  SLEEP_TYPE_S5,
  SMI_COMMAND,
} from "../devices/acpi-pm.ts";
import { IO_APIC_BASE } from "../devices/io-apic.ts";
import { LOCAL_APIC_BASE } from "../devices/local-apic-registers.ts";
import * as aml from "./aml.ts";
import type { MemoryWrite } from "./boot-image.ts";
import { alignUp, ascii, u16, u32, u64 } from "./bytes.ts";

/** The RSDP lies on a paragraph between 0xE0000 and 0xFFFFF, where systems look for it. */
export const RSDP_ADDRESS = 0xf_0000;
const SCI_IRQ = 9;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 0x06;
const HEADER_BYTES = 36;

const sumOf = (bytes: readonly number[]) => bytes.reduce((sum, byte) => sum + byte, 0);

/** A table with its standard header (ACPI 5.2.6); the checksum makes all bytes add up to 0. */
function table(signature: string, revision: number, body: readonly number[]): number[] {
  const bytes = [
    ...ascii(signature),
    ...u32(HEADER_BYTES + body.length),
    revision,
    0,
    ...ascii("MINVSR"),
    ...ascii("MINVISOR"),
    ...u32(1),
    ...ascii("MINV"),
    ...u32(1),
    ...body,
  ];
  bytes[9] = -sumOf(bytes) & 0xff;
  return bytes;
}

/** Root pointer (5.2.5.3): the first checksum covers 20 bytes, the second all 36. */
function rsdp(rsdt: number, xsdt: number): number[] {
  const start = [...ascii("RSD PTR "), 0, ...ascii("MINVSR"), 2, ...u32(rsdt)];
  start[8] = -sumOf(start) & 0xff;
  const bytes = [...start, ...u32(36), ...u64(xsdt), 0, 0, 0, 0];
  bytes[32] = -sumOf(bytes) & 0xff;
  return bytes;
}

/** Firmware control structure (5.2.10): no checksum, aligned to 64 bytes. */
const facs = () =>
  [...ascii("FACS"), ...u32(64), ...new Array<number>(24).fill(0), 1].concat(
    new Array<number>(31).fill(0),
  );

/** Generic address of I/O ports (5.2.3.2). */
const ioAddress = (port: number, bits: number, access: number) => [
  1,
  bits,
  0,
  access,
  ...u64(port),
];
const NO_ADDRESS = new Array<number>(12).fill(0);

/** Fixed ACPI description, revision 3 (5.2.9). */
function fadt(facsAddress: number, dsdt: number): number[] {
  // WBINVD works, C1 works, sleep button and RTC are not fixed hardware, the reset register is.
  const flags = 0x1 | 0x4 | 0x20 | 0x40 | 0x400;
  const noLatency = u16(0xfff);
  return table("FACP", 3, [
    ...u32(facsAddress),
    ...u32(dsdt),
    0,
    0,
    ...u16(SCI_IRQ),
    ...u32(SMI_COMMAND),
    ...[ACPI_ENABLE, ACPI_DISABLE, 0, 0],
    ...[PM1_EVENT, 0, PM1_CONTROL, 0, 0, PM_TIMER, 0, 0].flatMap(u32),
    // Lengths of PM1 event, PM1 control, PM2, timer, GPE0, GPE1; GPE1 base; C-state command.
    ...[4, 2, 0, 4, 0, 0, 0, 0],
    ...noLatency,
    ...noLatency,
    // Flush size and stride, duty offset and width, day and month alarm; century register.
    ...[0, 0, 0, 0, 0, 0, 0, 0, 0x32],
    // Legacy devices and an 8042 are there.
    ...u16(0x0003),
    0,
    ...u32(flags),
    ...ioAddress(RESET_PORT, 8, 1),
    RESET_VALUE,
    0,
    0,
    0,
    ...u64(facsAddress),
    ...u64(dsdt),
    ...ioAddress(PM1_EVENT, 32, 2),
    ...NO_ADDRESS,
    ...ioAddress(PM1_CONTROL, 16, 2),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
    ...ioAddress(PM_TIMER, 32, 3),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
  ]);
}

/** Interrupt controllers (5.2.12): one CPU, the I/O APIC, IRQ 0 on input 2, IRQ 9 level high. */
function madt(): number[] {
  const override = (irq: number, input: number, flags: number) => [
    ...[2, 10, 0, irq],
    ...u32(input),
    ...u16(flags),
  ];
  return table("APIC", 1, [
    ...u32(LOCAL_APIC_BASE),
    // A PIC pair is there too.
    ...u32(1),
    ...[0, 8, 0, 0, ...u32(1)],
    ...[1, 12, 0, 0, ...u32(IO_APIC_BASE), ...u32(0)],
    ...override(0, 2, 0),
    ...override(SCI_IRQ, SCI_IRQ, 0x000d),
    // NMI on LINT1 of every CPU.
    ...[4, 6, 0xff, ...u16(0), 1],
  ]);
}

const serialPort = (name: string, unit: number, port: number, line: number) =>
  aml.device(
    name,
    aml.name("_HID", aml.eisaId("PNP0501")),
    aml.name("_UID", aml.integer(unit)),
    aml.name("_CRS", aml.resources(aml.ioPorts(port, 8), aml.irq(line))),
  );

const legacyDevice = (name: string, id: string, ...descriptors: readonly number[][]) =>
  aml.device(
    name,
    aml.name("_HID", aml.eisaId(id)),
    aml.name("_CRS", aml.resources(...descriptors)),
  );

/** What the FADT cannot say: soft-off's sleep type, the PCI root, and the devices on the ISA bus. */
function dsdt(): number[] {
  const pciRoot = aml.device(
    "PCI0",
    aml.name("_HID", aml.eisaId("PNP0A03")),
    aml.name("_UID", aml.integer(0)),
    aml.name("_BBN", aml.integer(0)),
    aml.name(
      "_CRS",
      aml.resources(
        aml.wordWindow(2, 0, 0xff),
        aml.ioPorts(0xcf8, 8),
        aml.wordWindow(1, 0x0000, 0x0cf7),
        aml.wordWindow(1, 0x0d00, 0xffff),
        aml.memoryWindow(0x000a_0000, 0x000b_ffff),
        aml.memoryWindow(0xc000_0000, 0xfebf_ffff),
      ),
    ),
  );
  const sleepType = aml.integer(SLEEP_TYPE_S5);
  const none = aml.integer(0);
  return table("DSDT", 1, [
    ...aml.name("\\_S5", aml.aPackage(sleepType, sleepType, none, none)),
    ...aml.scope(
      "\\_SB",
      pciRoot,
      serialPort("COM1", 1, 0x3f8, 4),
      serialPort("COM2", 2, 0x2f8, 3),
      legacyDevice("RTC", "PNP0B00", aml.ioPorts(0x70, 2), aml.irq(8)),
      legacyDevice("KBD", "PNP0303", aml.ioPorts(0x60, 1), aml.ioPorts(0x64, 1), aml.irq(1)),
      legacyDevice("MOU", "PNP0F13", aml.irq(12)),
    ),
  ]);
}

/** All tables, as one block that starts with the RSDP. */
export function acpiTables(): MemoryWrite {
  const block: number[] = new Array<number>(64).fill(0);
  const place = (bytes: readonly number[], alignment = 16): number => {
    while (block.length < alignUp(block.length, alignment)) block.push(0);
    const address = RSDP_ADDRESS + block.length;
    block.push(...bytes);
    return address;
  };
  const facsAddress = place(facs(), 64);
  const fadtAddress = place(fadt(facsAddress, place(dsdt())));
  const tables = [fadtAddress, place(madt())];
  const rsdt = place(table("RSDT", 1, tables.flatMap(u32)));
  const xsdt = place(table("XSDT", 1, tables.flatMap(u64)));
  const root = rsdp(rsdt, xsdt);
  block.splice(0, root.length, ...root);
  return { address: RSDP_ADDRESS, bytes: Uint8Array.from(block), what: "ACPI tables" };
}
