// The host's 256 interrupt entries, and the two moments at which the host takes interrupts.

#include "layout.h"

#define STUB_SIZE 16

  .cfi_sections .debug_frame
  .text

// One entry a vector, STUB_SIZE bytes each. Interrupts come without an error code; host_interrupt
// answers how many bytes of error code an exception left on the stack.
  .align STUB_SIZE
  .globl interrupt_stubs
interrupt_stubs:
  .cfi_startproc simple
  .cfi_signal_frame
  .cfi_def_cfa rsp, 8
  .cfi_offset rip, -8
  .set vector, 0
  .rept 256
  .align STUB_SIZE
  pushq $vector
  jmp interrupt_common
  .set vector, vector + 1
  .endr
  .cfi_endproc

interrupt_common:
  .cfi_startproc simple
  .cfi_signal_frame
  .cfi_def_cfa rsp, 16
  .cfi_offset rip, -8
  push %rax
  .cfi_adjust_cfa_offset 8
  push %rcx
  .cfi_adjust_cfa_offset 8
  push %rdx
  .cfi_adjust_cfa_offset 8
  push %rsi
  .cfi_adjust_cfa_offset 8
  push %rdi
  .cfi_adjust_cfa_offset 8
  push %r8
  .cfi_adjust_cfa_offset 8
  push %r9
  .cfi_adjust_cfa_offset 8
  push %r10
  .cfi_adjust_cfa_offset 8
  push %r11
  .cfi_adjust_cfa_offset 8
  mov 72(%rsp), %rdi // the vector
  lea 80(%rsp), %rsi // what the CPU pushed
  call host_interrupt
  mov %rax, 72(%rsp) // bytes of error code to drop
  pop %r11
  .cfi_adjust_cfa_offset -8
  pop %r10
  .cfi_adjust_cfa_offset -8
  pop %r9
  .cfi_adjust_cfa_offset -8
  pop %r8
  .cfi_adjust_cfa_offset -8
  pop %rdi
  .cfi_adjust_cfa_offset -8
  pop %rsi
  .cfi_adjust_cfa_offset -8
  pop %rdx
  .cfi_adjust_cfa_offset -8
  pop %rcx
  .cfi_adjust_cfa_offset -8
  pop %rax
  .cfi_adjust_cfa_offset -8
  add (%rsp), %rsp
  add $8, %rsp
  .cfi_adjust_cfa_offset -8
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
