// The hostile guest: makes, once each, what a hypervisor with a bug in it would let through, and powers off.

#include "layout.h"

#define CR0_PE 1
#define CODE_32 0x08
#define DATA 0x10
#define STACK_TOP 0x7c00

#define GATE_INTERRUPT_32 0x8e00
#define VECTOR_UD 6
#define VECTOR_GP 13

#define CS_PREFIX 0x2e
#define MSR_MTRR_DEFAULT 0x2ff
#define MSR_VM_HSAVE_PA 0xc0010117
#define GUEST_PAGE 0x5000
#define CALL_OF_A_BUG 1 // MinVisors with some of the seeded bugs answer it
#define PM1A_CONTROL 0x604
#define PM1_POWER_OFF 0x2000

  .cfi_sections .debug_frame

  .text
  .code16
  .globl start
start:
  .cfi_startproc
  .cfi_undefined 16
  cli
  cld
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $STACK_TOP, %sp

  // CPUID with a prefix. Who goes on two bytes behind it executes A2h and what comes next, which
  // stores AL at 02EBh and does no harm.
  xor %eax, %eax
  .byte CS_PREFIX, 0x0f, 0xa2
  .byte 0xeb, 0x02 // jmp over the NOPs
  nop
  nop

  lgdtl gdt_pointer
  mov %cr0, %eax
  or $CR0_PE, %eax
  mov %eax, %cr0
  ljmpl $CODE_32, $protected

  .code32
  // Does the instruction; where it is refused, the fault's handler goes on behind it.
  .macro attempt instruction:vararg
  movl $1f, recovery
  \instruction
1:
  .endm

  .macro set_gate vector:req, entry:req
  mov $\entry, %eax
  mov %ax, idt + 8 * \vector
  movw $CODE_32, idt + 8 * \vector + 2
  movw $GATE_INTERRUPT_32, idt + 8 * \vector + 4
  shr $16, %eax
  mov %ax, idt + 8 * \vector + 6
  .endm

protected:
  mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $STACK_TOP, %esp
  set_gate VECTOR_UD, invalid_entry
  set_gate VECTOR_GP, protection_entry
  lidt idt_pointer

  // A register that the host must give back.
  mov $0x12345678, %ebp
  xor %eax, %eax
  cpuid

  // Host-physical memory by VMLOAD.
  mov $GUEST_PAGE, %eax
  attempt vmload

  // An MSR off the list, then the one that says where the host is saved.
  xor %edx, %edx
  mov $MSR_MTRR_DEFAULT, %ecx
  mov $0xc06, %eax
  attempt wrmsr
  mov $MSR_VM_HSAVE_PA, %ecx
  mov $GUEST_PAGE, %eax
  attempt wrmsr

  // Four bytes from a port and to it, the last two in MinVisor's region.
  mov $MINVISOR_START - 2, %edi
  mov $PORT_COM2, %edx
  attempt insl
  mov $MINVISOR_START - 2, %esi
  attempt outsl

  mov $CALL_OF_A_BUG, %eax
  attempt vmmcall
  attempt movb $0, MINVISOR_START

  mov $PM1_POWER_OFF, %eax
  mov $PM1A_CONTROL, %edx
  out %ax, %dx
2:
  cli
  hlt
  jmp 2b

protection_entry:
  add $4, %esp // the error code
invalid_entry:
  push %eax
  mov recovery, %eax
  mov %eax, 4(%esp)
  pop %eax
  iret
  .cfi_endproc

  .data
  .align 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff // CODE_32
  .quad 0x00cf93000000ffff // DATA
gdt_pointer:
  .word . - gdt - 1
  .long gdt
idt_pointer:
  .word idt_end - idt - 1
  .long idt

  .bss
  .align 8
recovery:
  .skip 4
  .align 8
idt:
  .skip 8 * (VECTOR_GP + 1)
idt_end:

  .section .note.GNU-stack, "", @progbits
