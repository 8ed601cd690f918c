// The sample guest's way up: real mode, protected mode, long mode, a line on COM1 in each.

#define COM1 0x3f8
#define LINE_STATUS 5
#define LINE_STATUS_ROOM 0x20

#define STACK_TOP 0x7c00
#define PML4 0x70000
#define PDPT 0x71000
#define DIRECTORY 0x72000
#define PAGE_TABLE 0x03
#define PAGE_2MIB 0x83
#define SIZE_2MIB 0x200000

#define CR0_PE 1
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)

#define CODE_32 0x08
#define DATA 0x10
#define CODE_64 0x18

  .cfi_sections .debug_frame

// A routine "name" that prints the text at ESI; real and protected mode need one each.
  .macro print_routine name
\name:
  cmpb $0, (%esi)
  je 3f
  mov $COM1 + LINE_STATUS, %dx
2:
  in (%dx), %al
  test $LINE_STATUS_ROOM, %al
  jz 2b
  mov $COM1, %dx
  outsb
  jmp \name
3:
  ret
  .endm

  .section .start, "ax"
  .code16
  .globl start
start:
  cli
  cld
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $STACK_TOP, %sp
  mov $real_text, %esi
  call print16
  xor %eax, %eax
  cpuid

  lgdtl gdt_pointer
  mov %cr0, %eax
  or $CR0_PE, %eax
  mov %eax, %cr0
  ljmpl $CODE_32, $protected
  print_routine print16

  .code32
protected:
  mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov %eax, %fs
  mov %eax, %gs
  mov $STACK_TOP, %esp
  mov $protected_text, %esi
  call print32

  // The first GiB one to one, in 2 MiB pages.
  xor %eax, %eax
  mov $PML4, %edi
  mov $3 * 4096 / 4, %ecx
  rep stosl
  movl $PDPT + PAGE_TABLE, PML4
  movl $DIRECTORY + PAGE_TABLE, PDPT
  mov $PAGE_2MIB, %eax
  xor %ecx, %ecx
1:
  mov %eax, DIRECTORY(,%ecx,8)
  add $SIZE_2MIB, %eax
  inc %ecx
  cmp $512, %ecx
  jne 1b

  mov $CR4_PAE, %eax
  mov %eax, %cr4
  mov $PML4, %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  rdmsr
  or $EFER_LME, %eax
  wrmsr
  mov %cr0, %eax
  or $CR0_PG, %eax
  mov %eax, %cr0
  ljmp $CODE_64, $long_mode
  print_routine print32

  .code64
  .cfi_startproc
  .cfi_undefined rip
long_mode:
  mov $STACK_TOP, %rsp
  xor %ebp, %ebp
  call guest_main
  ud2
  .cfi_endproc

  .section .rodata
real_text:
  .asciz "sample: real mode\n"
protected_text:
  .asciz "sample: protected mode\n"
  .align 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff // CODE_32
  .quad 0x00cf93000000ffff // DATA
  .quad 0x00af9b000000ffff // CODE_64
gdt_pointer:
  .word . - gdt - 1
  .long gdt

  .section .note.GNU-stack, "", @progbits
