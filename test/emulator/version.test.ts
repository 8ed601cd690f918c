// A machine that behaves differently must have another version: recordings depend on it.
import { expect, test } from "vitest";
import { type BootImage, MACHINE_VERSION, Machine } from "../../emulator/index.ts";

/** State hashes of the little program below, by the version that gave them. */
const HASH_OF_VERSION: Readonly<Record<string, string>> = {
  "2": "64187ffad2231a94",
};

const segment = (attributes: number) => ({ selector: 8, base: 0, limit: 0xffff_ffff, attributes });

/**
 * Reads the clock chip and CPUID, sends a letter over COM1, starts the timer, and waits for its
 * interrupt in HLT with interrupts off. On its way it reads where there is no RAM, for the TLB.
 */
const PROGRAM = [
  ...[0xb0, 0x04, 0xe6, 0x70, 0xe4, 0x71], // mov al,4; out 70h,al; in al,71h
  ...[0x31, 0xc0, 0x0f, 0xa2, 0x0f, 0x31], // xor eax,eax; cpuid; rdtsc
  ...[0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee], // mov dx,3f8h; mov al,'A'; out dx,al
  ...[0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x10, 0xe6, 0x40, 0xe6, 0x40], // PIT, channel 0, mode 2
  ...[0xd9, 0xeb, 0xd9, 0xfe, 0xdd, 0x1d, 0x00, 0x20, 0x01, 0x00], // fldpi; fsin; fstp [12000h]
  ...[0xb9, 0x00, 0x10, 0x00, 0x00, 0xff, 0x05, 0x00, 0x30, 0x01, 0x00, 0xe2, 0xf8], // loop: inc
  ...[0xa1, 0x00, 0x10, 0xc0, 0x00], // mov eax,[0c01000h]
  0xf4, // hlt
];

const IMAGE: BootImage = {
  kind: "multiboot",
  name: "program",
  writes: [{ address: 0x1_0000, bytes: Uint8Array.from(PROGRAM), what: "program" }],
  entry: {
    mode: "protected",
    eip: 0x1_0000,
    registers: {},
    cs: segment(0xc9b),
    data: segment(0xc93),
    gdtr: { base: 0, limit: 0 },
  },
  firmware: true,
};

test("the version of the machine stands for what it does", () => {
  const machine = new Machine({ ramBytes: 4 * 2 ** 20 });
  machine.load(IMAGE);
  const result = machine.run({ instructions: 100_000 });
  expect(result).toEqual({ reason: "idle", forever: true });
  expect(
    { version: MACHINE_VERSION, hash: machine.stateHash() },
    "the machine does something else than it did: give MACHINE_VERSION another value and a hash here",
  ).toEqual({ version: MACHINE_VERSION, hash: HASH_OF_VERSION[MACHINE_VERSION] });
});
