// The guest's way up: real mode at 1000:0000, protected mode, PAE paging with a high half of its own.

#include "../layout.h"

#define CODE 0x08
#define DATA 0x10
#define CR0_PE 1
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define POINTERS 0x8000
#define DIRECTORY 0x9000
#define PRESENT 0x01
#define LARGE_PAGE 0x83
#define STACK_TOP (WARD_HIGH_HALF + 0x8000)

#define GPA(symbol) (symbol - WARD_HIGH_HALF)
#define IN_SEGMENT(symbol) (symbol - ward_start)

  .cfi_sections .debug_frame
  .section .start, "ax"
  .code16
  .globl ward_start
ward_start:
  cli
  xor %eax, %eax
  cpuid
  lgdtl %cs:IN_SEGMENT(gdt_pointer)
  mov %cr0, %eax
  or $CR0_PE, %al
  mov %eax, %cr0
  ljmpl $CODE, $GPA(ward_protected)

  .code32
ward_protected:
  mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss

  // The first 4 MiB at 0 and at the high half (the third GiB); from 8 MiB on one page more.
  movl $DIRECTORY + PRESENT, POINTERS
  movl $DIRECTORY + PRESENT, POINTERS + 2 * 8
  movl $LARGE_PAGE, DIRECTORY
  movl $LARGE_PAGE + SIZE_2MIB, DIRECTORY + 8
  movl $LARGE_PAGE + WARD_HOLE_GPA, DIRECTORY + 4 * 8
  mov $CR4_PAE, %eax
  mov %eax, %cr4
  mov $POINTERS, %eax
  mov %eax, %cr3
  mov %cr0, %eax
  or $CR0_PG, %eax
  mov %eax, %cr0
  mov $ward_high, %eax
  jmp *%eax

  .type ward_high, @function
ward_high:
  .cfi_startproc
  .cfi_undefined eip
  mov $STACK_TOP, %esp
  call ward_main
  ud2
  .cfi_endproc
  .size ward_high, . - ward_high

  .section .rodata
  .align 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff // CODE
  .quad 0x00cf93000000ffff // DATA
gdt_pointer:
  .word . - gdt - 1
  .long GPA(gdt)

  .section .note.GNU-stack, "", @progbits
