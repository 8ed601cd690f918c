// The host's 256 interrupt entries, and the two moments at which the host takes interrupts.

#include "layout.h"

#define STUB_SIZE 16

  .cfi_sections .debug_frame
  .text

// Vectors that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX (APM volume 2,
// section 8.2).
#define HAS_ERROR_CODE 0x60227d00

// What the CPU pushed, as the frame of what was interrupted: the frame's address is behind SS.
  .macro interrupt_frame below
  .cfi_startproc simple
  .cfi_signal_frame
  .cfi_def_cfa rsp, 40 + \below
  .cfi_offset rip, -40
  .cfi_offset cs, -32
  .cfi_offset rflags, -24
  .cfi_offset rsp, -16
  .cfi_offset ss, -8
  .endm

// One entry a vector, STUB_SIZE bytes each: each leaves an error code and the vector on the stack.
  .globl interrupt_stubs
  .align STUB_SIZE
interrupt_stubs:
  .set vector, 0
  .rept 256
  .align STUB_SIZE
  .if vector < 32 && (HAS_ERROR_CODE >> (vector & 31)) & 1
  interrupt_frame 8
  .else
  interrupt_frame 0
  pushq $0
  .cfi_adjust_cfa_offset 8
  .endif
  pushq $vector
  .cfi_adjust_cfa_offset 8
  jmp interrupt_common
  .cfi_endproc
  .set vector, vector + 1
  .endr

interrupt_common:
  interrupt_frame 16
  push %rax
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rax, 0
  push %rcx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rcx, 0
  push %rdx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rdx, 0
  push %rsi
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rsi, 0
  push %rdi
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rdi, 0
  push %r8
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r8, 0
  push %r9
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r9, 0
  push %r10
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r10, 0
  push %r11
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r11, 0
  mov 72(%rsp), %rdi // the vector
  lea 80(%rsp), %rsi // the error code, then what the CPU pushed
  call host_interrupt
  pop %r11
  .cfi_adjust_cfa_offset -8
  .cfi_restore r11
  pop %r10
  .cfi_adjust_cfa_offset -8
  .cfi_restore r10
  pop %r9
  .cfi_adjust_cfa_offset -8
  .cfi_restore r9
  pop %r8
  .cfi_adjust_cfa_offset -8
  .cfi_restore r8
  pop %rdi
  .cfi_adjust_cfa_offset -8
  .cfi_restore rdi
  pop %rsi
  .cfi_adjust_cfa_offset -8
  .cfi_restore rsi
  pop %rdx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rdx
  pop %rcx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rcx
  pop %rax
  .cfi_adjust_cfa_offset -8
  .cfi_restore rax
  add $16, %rsp // the vector and the error code
  .cfi_adjust_cfa_offset -16
  iretq
  .cfi_endproc

// void take_interrupt(void): a pending interrupt reaches host_interrupt, if there is one.
// GIF is 0 before and after; IF is 0 after an interrupt, and 1 otherwise.
  .globl take_interrupt
  .type take_interrupt, @function
take_interrupt:
  .cfi_startproc
  sti
  stgi
  nop
  nop
  clgi
  ret
  .cfi_endproc
  .size take_interrupt, . - take_interrupt

// void wait_for_interrupt(void): the same, but sleeps until one comes. STI right before HLT, so
// that an interrupt cannot come between the two and leave HLT asleep.
  .globl wait_for_interrupt
  .type wait_for_interrupt, @function
wait_for_interrupt:
  .cfi_startproc
  cli
  stgi
  sti
  hlt
  clgi
  ret
  .cfi_endproc
  .size wait_for_interrupt, . - wait_for_interrupt

  .section .note.GNU-stack, "", @progbits
