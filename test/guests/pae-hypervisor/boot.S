// The way up: the multiboot header, PAE paging, and the jump from 1 MiB to the high half.

#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_MEMORY_MAP 2
#define CR4_PAE (1 << 5)
#define CR0_PG (1 << 31)
#define CR0_WP (1 << 16)
#define PRESENT 0x01
#define LARGE_PAGE 0x83
#define CODE 0x08
#define DATA 0x10

  .cfi_sections .debug_frame

  .section .multiboot, "a"
  .align 4
  .long MULTIBOOT_MAGIC
  .long MULTIBOOT_MEMORY_MAP
  .long -(MULTIBOOT_MAGIC + MULTIBOOT_MEMORY_MAP)

// Linked in the high half and run at 1 MiB until the jump: every address is taken as physical.
  .text
  .globl start
  .type start, @function
start:
  .cfi_startproc
  .cfi_undefined eip
  mov %ebx, %ebp
  mov $boot_directory - HIGH_HALF, %edi
  mov $LARGE_PAGE, %eax
fill_directory:
  mov %eax, (%edi)
  add $8, %edi
  add $SIZE_2MIB, %eax
  cmp $0x40000000 + LARGE_PAGE, %eax
  jne fill_directory

  // The first GiB twice: where it is, for the code between here and the jump, and on top.
  mov $boot_directory - HIGH_HALF + PRESENT, %eax
  mov %eax, pointer_table - HIGH_HALF
  mov %eax, pointer_table - HIGH_HALF + 3 * 8
  mov %cr4, %eax
  or $CR4_PAE, %eax
  mov %eax, %cr4
  mov $pointer_table - HIGH_HALF, %eax
  mov %eax, %cr3
before_paging:
  mov %cr0, %eax
  or $(CR0_PG | CR0_WP), %eax
  mov %eax, %cr0
  mov $in_high_half, %eax
  jmp *%eax
in_high_half:
  lgdt gdt_pointer
  ljmp $CODE, $1f
1:
  mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov %eax, %fs
  mov %eax, %gs
  mov $stack_top, %esp

  // Without its first entry the table maps the high half alone; the CPU reads it again with CR3.
  movl $0, pointer_table
  mov %cr3, %eax
  mov %eax, %cr3
  push %ebp
  call warden_main
  ud2
  .cfi_endproc
  .size start, . - start

  .data
  .align 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff // CODE
  .quad 0x00cf93000000ffff // DATA
gdt_pointer:
  .word . - gdt - 1
  .long gdt

  .bss
  .align 32
  .globl pointer_table
pointer_table:
  .skip 32
  .align 4096
boot_directory:
  .skip 4096
  .skip 8192
stack_top:

  .section .note.GNU-stack, "", @progbits
