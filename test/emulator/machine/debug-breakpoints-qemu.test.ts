// Breakpoints of the debug registers against QEMU's: one guest on both, the same #DBs in the same places.

import { expect, test } from "vitest";
import { dumpOnOurs, dumpOnQemu } from "../../harness/console-dump.ts";
import { buildImage, multibootSource } from "../loader/build-image.ts";

/** Instructions under breakpoints. None pops what is watched: the handler's frame would lie there. */
interface Case {
  readonly name: string;
  /** Symbol or number in DR0, and in DR1. */
  readonly dr0: string;
  readonly dr1?: string;
  readonly dr7: number;
  readonly code: string;
}

const control = (n: number, kind: number, length: number): number =>
  (1 << (n * 2)) | (((length << 2) | kind) << (16 + n * 4));
const EXECUTE = control(0, 0, 0);
const WRITE4 = control(0, 1, 3);
const READ4 = control(0, 3, 3);
const PORT1 = control(0, 2, 0);
const CASES: readonly Case[] = [
  { name: "instruction", dr0: "here0", dr7: EXECUTE, code: "nop; here0: nop; nop" },
  {
    name: "instruction in a loop",
    dr0: "here1",
    dr7: EXECUTE,
    code: "mov $3, %ecx; here1: dec %ecx; jnz here1; nop",
  },
  {
    name: "byte within an instruction",
    dr0: "here2 + 1",
    dr7: EXECUTE,
    code: "here2: mov $5, %eax; nop",
  },
  { name: "store", dr0: "data", dr7: WRITE4, code: "movl $1, data; nop" },
  { name: "load under write", dr0: "data", dr7: WRITE4, code: "mov data, %eax; nop" },
  { name: "load", dr0: "data", dr7: READ4, code: "mov data, %eax; nop" },
  { name: "store under read or write", dr0: "data", dr7: READ4, code: "movb $1, data; nop" },
  { name: "read-modify-write", dr0: "data", dr7: WRITE4, code: "incl data; nop" },
  { name: "cmpxchg", dr0: "data", dr7: WRITE4, code: "lock cmpxchg %ecx, data; nop" },
  { name: "xchg", dr0: "data", dr7: WRITE4, code: "xchg %ecx, data; nop" },
  { name: "last byte", dr0: "data", dr7: WRITE4, code: "movb $1, data + 3; nop" },
  { name: "next byte", dr0: "data", dr7: WRITE4, code: "movb $1, data + 4; nop" },
  { name: "reaching in", dr0: "data", dr7: WRITE4, code: "movl $1, data - 3; nop" },
  { name: "low bits", dr0: "data + 2", dr7: WRITE4, code: "movb $1, data; nop" },
  { name: "push", dr0: "stack - 4", dr7: WRITE4, code: "push %eax; pop %eax; nop" },
  { name: "push of memory", dr0: "data", dr7: READ4, code: "pushl data; nop" },
  { name: "call", dr0: "stack - 4", dr7: WRITE4, code: "call 1f; 1: pop %eax; nop" },
  {
    name: "stos",
    dr0: "data",
    dr7: WRITE4,
    code: "mov $data - 2, %edi; mov $12, %ecx; rep stosb; nop",
  },
  {
    name: "movs",
    dr0: "data",
    dr7: READ4,
    code: "mov $data, %esi; mov $data + 64, %edi; mov $3, %ecx; rep movsl; nop",
  },
  {
    name: "two at once",
    dr0: "data",
    dr1: "data + 4",
    dr7: WRITE4 | control(1, 1, 3),
    code: "fildl data; fistpll data; nop",
  },
  {
    name: "data, then instruction",
    dr0: "data",
    dr1: "here3",
    dr7: WRITE4 | control(1, 0, 0),
    code: "movl $1, data; here3: nop; nop",
  },
  { name: "out", dr0: "0x80", dr7: PORT1, code: "out %al, $0x80; nop" },
  { name: "in", dr0: "0x80", dr7: PORT1, code: "in $0x80, %al; nop" },
  { name: "another port", dr0: "0x80", dr7: PORT1, code: "out %al, $0x81; nop" },
  {
    name: "outs",
    dr0: "0x80",
    dr7: PORT1,
    code: "mov $0x80, %edx; mov $data, %esi; mov $2, %ecx; rep outsb; nop",
  },
];

/** Marks the case in the records, points DR0 and DR1, then DR7 around the instructions. */
const assembled = ({ dr0, dr1 = "0", dr7, code }: Case, n: number): string => `
  mov next, %ebx
  movl $0xca5e0000 + ${n}, (%ebx)
  addl $4, next
  mov $${dr0}, %eax
  mov %eax, %dr0
  mov $${dr1}, %eax
  mov %eax, %dr1
  mov $0, %eax
  mov %eax, %dr6
  mov $stack, %esp
  mov $${dr7 >>> 0} | 0x400, %eax
  mov %eax, %dr7
  base${n}: ${code}
  mov $0x400, %eax
  mov %eax, %dr7`;

/** Records rip, DR6 and the pushed RF of each #DB; the records go to the debug console at the end. */
const BODY = `
  lgdt gdt_pointer
  ljmp $8, $1f
1:
  mov $16, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $trap, %eax
  mov %ax, idt + 8
  shr $16, %eax
  mov %ax, idt + 14
  movw $8, idt + 10
  movw $0x8e00, idt + 12
  lidt idt_pointer
  mov %cr4, %eax
  or $8, %eax
  mov %eax, %cr4
  fninit
  cld
  ${CASES.map(assembled).join("\n")}
  mov $0xe9, %edx
  mov $records, %esi
  mov next, %ecx
  sub %esi, %ecx
  rep outsb
  mov $0xf4, %edx
  out %al, %dx
  hlt
trap:
  push %eax
  push %ebx
  mov next, %ebx
  mov 8(%esp), %eax
  mov %eax, (%ebx)
  mov %dr6, %eax
  and $0xe00f, %eax
  mov %eax, 4(%ebx)
  mov 16(%esp), %eax
  and $0x10000, %eax
  or %eax, 4(%ebx)
  orl $0x10000, 16(%esp)
  mov $0, %eax
  mov %eax, %dr6
  addl $8, next
  pop %ebx
  pop %eax
  iret
.data
  .balign 16
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer: .word 23
  .long gdt
idt_pointer: .word 15
  .long idt
  .balign 16
idt: .space 16
  .space 64
data: .space 128
  .space 1024
stack: .space 64
next: .long records
records: .space 8192
.text`;

/** "case: rip dr6|RF, ..." with rip relative to the first record's. */
function readable(dump: Uint8Array): string[] {
  const view = new DataView(dump.buffer, dump.byteOffset, dump.byteLength);
  const lines: string[][] = [];
  for (let at = 0; at + 4 <= dump.length; ) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word >>> 16 === 0xca5e) {
      lines.push([`${CASES[word & 0xffff]?.name}:`]);
    } else {
      lines.at(-1)?.push(`${word.toString(16)} ${view.getUint32(at, true).toString(16)}`);
      at += 4;
    }
  }
  return lines.map((line) => line.join(" "));
}

/**
 * Where QEMU 7.2 does otherwise, and why ours stays: debug-breakpoints.test.ts has what the manual
 * says of each. (With a single step as well, QEMU aborts; there is no such case here.)
 */
const OTHERWISE: Readonly<Record<string, string>> = {
  "low bits": "QEMU compares the address whole, not as a multiple of the length",
  stos: "QEMU clears RF with each iteration, not with the last (APM volume 2, section 3.1.6)",
  "two at once": "QEMU stops at the first of two breakpoints that an access meets",
  "data, then instruction": "QEMU names the next instruction's breakpoint in the trap before it",
  outs: "QEMU tells of I/O breakpoints in REP OUTS behind the last iteration only",
};

test("a guest's #DBs: the same on QEMU", () => {
  const kernel = buildImage(multibootSource(0, "", BODY));
  const ours = readable(dumpOnOurs(kernel));
  const theirs = readable(dumpOnQemu(kernel));
  expect(ours).toHaveLength(CASES.length);
  const differing = CASES.filter((_, i) => ours[i] !== theirs[i]).map(({ name }) => name);
  expect(differing, `${ours.join("\n")}\nQEMU:\n${theirs.join("\n")}`).toEqual(
    CASES.map(({ name }) => name).filter((name) => name in OTHERWISE),
  );
}, 60_000);
