// Handlers of the loops guest: a timer tick, and an undefined instruction that is skipped.

#define PIC1_COMMAND 0x20
#define END_OF_INTERRUPT 0x20
#define SIZE_UD2 2

  .text
  .code64
  .globl tick_entry
tick_entry:
  incl ticks(%rip)
  push %rax
  mov $END_OF_INTERRUPT, %al
  out %al, $PIC1_COMMAND
  pop %rax
  iretq

  .globl undefined_entry
undefined_entry:
  incl skipped(%rip)
  addq $SIZE_UD2, (%rsp)
  iretq

  .section .note.GNU-stack, "", @progbits
