// The sample guest's interrupt entries, and the accesses that are expected to fault.

#include "layout.h"

  .cfi_sections .debug_frame
  .text

// A vector that nothing expects.
  .globl unexpected_entry
unexpected_entry:
  call unexpected_interrupt
  ud2

// #GP: the access that faulted answers 0 at its recovery point.
  .globl general_protection_entry
general_protection_entry:
  add $8, %rsp // the error code, always 0 here
  push %rax
  mov recovery_rip, %rax
  mov %rax, 8(%rsp)
  pop %rax
  iretq

// The timer: counts, and ends the interrupt at the PIC.
  .globl timer_entry
timer_entry:
  push %rax
  incl timer_ticks
  mov $0x20, %al
  out %al, $0x20
  pop %rax
  iretq

// bool try_...: does the access and answers whether it came through without a #GP.
// The stack pointer is kept in RBX, since a faulting call has pushed its return address.
  .macro access name:req, instruction:vararg
  .globl \name
  .type \name, @function
\name:
  .cfi_startproc
  push %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  mov %rsp, %rbx
  movq $1f, recovery_rip
  mov %edi, %ecx // an MSR's number, where it is one
  mov $PORT_COM2, %edx // for INS
  \instruction
  mov $1, %eax
  jmp 2f
1:
  mov %rbx, %rsp
  xor %eax, %eax
2:
  pop %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  ret
  .cfi_endproc
  .size \name, . - \name
  .endm

  access try_read, mov (%rdi), %al
  access try_write, movb $0, (%rdi)
  access try_fetch, call *%rdi
  access try_read_msr, rdmsr
  access try_ins, insb

  .bss
  .align 8
recovery_rip:
  .skip 8
  .globl timer_ticks
timer_ticks:
  .skip 4

  .section .note.GNU-stack, "", @progbits
