// DWARF register numbers of the two x86 ABIs (System V psABI, "DWARF Register Number Mapping").
import type { Machine } from "./elf.ts";

const X86_64 = (
  "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip " +
  "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15 " +
  "st0 st1 st2 st3 st4 st5 st6 st7 mm0 mm1 mm2 mm3 mm4 mm5 mm6 mm7 rflags es cs ss ds fs gs"
).split(" ");

const I386 = (
  "eax ecx edx ebx esp ebp esi edi eip eflags - " +
  "st0 st1 st2 st3 st4 st5 st6 st7 - - " +
  "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 mm0 mm1 mm2 mm3 mm4 mm5 mm6 mm7 - - mxcsr es cs ss ds fs gs"
).split(" ");

export interface RegisterSet {
  /** Name by DWARF number; "-" where the number is not used. */
  readonly names: readonly string[];
  readonly stackPointer: number;
  readonly returnAddress: number;
  readonly framePointer: number;
  /** Registers that a call preserves: unchanged in the caller where CFI says nothing of them. */
  readonly preserved: ReadonlySet<number>;
}

export const REGISTERS: Readonly<Record<Machine, RegisterSet>> = {
  x86_64: {
    names: X86_64,
    stackPointer: 7,
    returnAddress: 16,
    framePointer: 6,
    preserved: new Set([3, 6, 12, 13, 14, 15]),
  },
  i386: {
    names: I386,
    stackPointer: 4,
    returnAddress: 8,
    framePointer: 5,
    preserved: new Set([3, 5, 6, 7]),
  },
};
