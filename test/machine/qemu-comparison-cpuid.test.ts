// CPUID as a guest reads it on QEMU with our flags and on our machine: leaf by leaf.

import { beforeAll, expect, test } from "vitest";
import { QEMU_CPU_FLAGS } from "../../scripts/qemu-boot.mjs";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";
import { dumpOnOurs, dumpOnQemu } from "../harness/console-dump.ts";

const LEAF_BYTES = 20;
/** First leaf and count of each range that is read. */
const RANGES = [
  [0, 0x20],
  [0x4000_0000, 2],
  [0x8000_0000, 0x20],
] as const;

const body = `
  mov $0x180000, %esp
  cld
  ${RANGES.map(
    ([first, count], i) => `
  mov $${first}, %ebx
${i + 1}: call one
  inc %ebx
  cmp $${first + count}, %ebx
  jne ${i + 1}b`,
  ).join("\n")}
  out %al, $0xf4
  hlt
one:
  push %ebx
  mov %ebx, %eax
  xor %ecx, %ecx
  mov $0x190000, %edi
  stosl
  cpuid
  stosl
  mov %ebx, %eax
  stosl
  mov %ecx, %eax
  stosl
  mov %edx, %eax
  stosl
  mov $0x190000, %esi
  mov $${LEAF_BYTES}, %ecx
  mov $0xe9, %edx
  rep outsb
  pop %ebx
  ret`;

type Leaves = Map<number, string>;

function leavesOf(bytes: Uint8Array): Leaves {
  const dump = Buffer.from(bytes);
  const leaves: Leaves = new Map();
  for (let at = 0; at + LEAF_BYTES <= dump.length; at += LEAF_BYTES) {
    const words = [4, 8, 12, 16].map((offset) => dump.readUInt32LE(at + offset));
    leaves.set(dump.readUInt32LE(at), words.map((w) => w.toString(16).padStart(8, "0")).join(" "));
  }
  return leaves;
}

interface Difference {
  readonly ours: string;
  readonly qemu: string;
  readonly why: string;
}

/** Every leaf in which the two may differ, within what the flags of QEMU can say. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  "0x1": {
    ours: "00060fb1 00000800 00a02001 078bab7d",
    qemu: "00060fb1 00000800 00802001 078bab7d",
    why: "ECX bit 21, x2APIC: TCG of QEMU 7.2 has none",
  },
  "0x40000000": {
    ours: "00000000 00000000 00000000 00000000",
    qemu: "40000001 54474354 43544743 47435447",
    why: "QEMU answers TCGTCGTCGTCG though the hypervisor bit is off; we have no such leaf",
  },
  "0x80000007": {
    ours: "00000000 00000000 00000000 00000100",
    qemu: "00000000 00000000 00000000 00000000",
    why: "EDX bit 8, invariant TSC: TCG of QEMU 7.2 has none, ours is virtual time",
  },
  "0x8000000a": {
    ours: "00000001 00000010 00000000 000004ef",
    qemu: "00000001 00000010 00000000 00000001",
    why: "EDX: of SVM's features QEMU's TCG has nested paging alone",
  },
};

/** Leaves above the last one: QEMU answers with the last basic leaf, AMD's CPUs with zeros. */
const beyondTheLast = (leaf: number): boolean =>
  (leaf > 1 && leaf < 0x4000_0000) || (leaf > 0x8000_000a && leaf < 0x1_0000_0000);

let qemu: Leaves;
let ours: Leaves;

beforeAll(() => {
  const kernel = buildImage(multibootSource(3, "", body));
  qemu = leavesOf(dumpOnQemu(kernel, { arguments: ["-cpu", QEMU_CPU_FLAGS] }));
  ours = leavesOf(dumpOnOurs(kernel));
}, 60_000);

test("both answer for every leaf that was asked", () => {
  const count = RANGES.reduce((sum, [, leaves]) => sum + leaves, 0);
  expect([...ours.keys()]).toEqual([...qemu.keys()]);
  expect(ours.size).toBe(count);
});

test("leaves are equal but for those in the table, which do differ", () => {
  const found: Record<number, { ours: string; qemu: string }> = {};
  for (const [leaf, theirs] of qemu) {
    const own = ours.get(leaf) ?? "";
    if (!beyondTheLast(leaf) && own !== theirs) found[leaf] = { ours: own, qemu: theirs };
  }
  const listed = Object.entries(DIFFERENCES).map(([leaf, { ours: own, qemu: theirs }]) => [
    Number(leaf),
    { ours: own, qemu: theirs },
  ]);
  expect(found).toEqual(Object.fromEntries(listed));
});

test("leaves beyond the last are zeros, and QEMU's the last basic leaf", () => {
  for (const [leaf, theirs] of qemu) {
    if (!beyondTheLast(leaf)) continue;
    expect(ours.get(leaf)).toBe("00000000 00000000 00000000 00000000");
    expect(theirs).toBe(qemu.get(1));
  }
});
