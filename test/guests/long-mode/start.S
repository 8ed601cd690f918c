// A bare multiboot image, no hypervisor: protected mode, PAE, long mode, a line on COM1, the end.

#define MULTIBOOT_MAGIC 0x1badb002
#define COM1 0x3f8
#define LINE_STATUS 5
#define LINE_STATUS_ROOM 0x20
#define PORT_DEBUG_EXIT 0xf4
#define END_WELL 0x31 // the machine exits with status 2 * 0x31 + 1 = 99
#define END_NO_LONG_MODE 0x32

#define PAGE_TABLE 0x03
#define PAGE_2MIB 0x83
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_LMA (1 << 10)

#define CODE_64 0x08
#define DATA 0x10

  .cfi_sections .debug_frame
  .section .multiboot, "a"
  .align 4
  .long MULTIBOOT_MAGIC
  .long 0
  .long -MULTIBOOT_MAGIC

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  movl $pdpt + PAGE_TABLE, pml4
  movl $directory + PAGE_TABLE, pdpt
  movl $PAGE_2MIB, directory // the first 2 MiB one to one, no more
  mov $CR4_PAE, %eax
  mov %eax, %cr4
  mov $pml4, %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  rdmsr
  or $EFER_LME, %eax
  wrmsr
  mov %cr0, %eax
  or $CR0_PG, %eax
  mov %eax, %cr0
  lgdt gdt_pointer
  ljmp $CODE_64, $long_mode

  .code64
long_mode:
  .cfi_startproc
  .cfi_undefined rip
  mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %ss
  mov $MSR_EFER, %ecx
  rdmsr
  test $EFER_LMA, %eax
  mov $END_NO_LONG_MODE, %bl
  jz 4f
  lea text(%rip), %rsi
1:
  mov (%rsi), %cl
  inc %rsi
  test %cl, %cl
  jz 3f
  mov $COM1 + LINE_STATUS, %edx
2:
  in (%dx), %al
  test $LINE_STATUS_ROOM, %al
  jz 2b
  mov %cl, %al
  mov $COM1, %edx
  out %al, (%dx)
  jmp 1b
3:
  mov $END_WELL, %bl
4:
  mov %bl, %al
  out %al, $PORT_DEBUG_EXIT
5:
  cli
  hlt
  jmp 5b
  .cfi_endproc

  .section .rodata
text:
  .asciz "LONG-MODE-OK\n"
  .align 8
gdt:
  .quad 0
  .quad 0x00af9b000000ffff // CODE_64
  .quad 0x00cf93000000ffff // DATA
gdt_pointer:
  .word . - gdt - 1
  .long gdt

  .bss
  .align 4096
pml4:
  .skip 4096
pdpt:
  .skip 4096
directory:
  .skip 4096
  .skip 4096
stack_top:

  .section .note.GNU-stack, "", @progbits
