// The multiboot entry: from 32-bit protected mode to 64-bit C.

#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS (1 << 0 | 1 << 1 | 1 << 16) // page-aligned modules, memory map, addresses

#define CR0_PG_WP (1 << 31 | 1 << 16)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define FEATURE_LONG_MODE (1 << 29)
#define FEATURE_NX (1 << 20)

#define PAGE_TABLE 0x03 // present, writable
#define PAGE_2MIB 0x83  // present, writable, a 2 MiB leaf

  .cfi_sections .debug_frame

// The address fields (flag 16) let a loader that knows only 32-bit ELF load this 64-bit file. The
// "bss" of the header ends with the region, so that no module is placed inside it.
  .section .multiboot, "a"
  .align 4
multiboot_header:
  .long MULTIBOOT_MAGIC
  .long MULTIBOOT_FLAGS
  .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
  .long multiboot_header
  .long multiboot_header
  .long image_file_end
  .long MINVISOR_END
  .long start

// In: eax = the multiboot loader's magic, ebx = its information structure; paging off, flat
// segments, interrupts off. Nothing else may be assumed.
  .text
  .code32
  .globl start
start:
  .cfi_startproc
  .cfi_undefined 16 // the return address: nothing called this
  cld
  mov $stack_top, %esp
  mov %eax, %edi
  mov %ebx, %esi

  mov $CPUID_EXTENDED_MAX, %eax
  cpuid
  cmp $CPUID_EXTENDED_FEATURES, %eax
  jb no_long_mode
  mov $CPUID_EXTENDED_FEATURES, %eax
  cpuid
  test $FEATURE_LONG_MODE, %edx
  jz no_long_mode
  mov %edx, %ebp

  // The host's own map: the first 4 GiB, one to one, in 2 MiB pages.
  movl $host_pdpt + PAGE_TABLE, host_pml4
  mov $host_directories + PAGE_TABLE, %eax
  xor %ecx, %ecx
1:
  mov %eax, host_pdpt(,%ecx,8)
  add $SIZE_4KIB, %eax
  inc %ecx
  cmp $4, %ecx
  jne 1b

  mov $PAGE_2MIB, %eax
  xor %ecx, %ecx
2:
  mov %eax, host_directories(,%ecx,8)
  add $SIZE_2MIB, %eax
  inc %ecx
  cmp $4 * 512, %ecx
  jne 2b

  mov $CR4_PAE, %eax
  mov %eax, %cr4
  mov $host_pml4, %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  rdmsr
  or $EFER_LME, %eax
  test $FEATURE_NX, %ebp
  jz 3f
  or $EFER_NXE, %eax
3:
  wrmsr
  mov %cr0, %eax
  or $CR0_PG_WP, %eax
  mov %eax, %cr0
  lgdt gdt_pointer
  ljmp $HOST_CS, $start64

// Says why on COM2 and stops: MinVisor's C cannot run here.
no_long_mode:
  mov $no_long_mode_text, %esi
  mov $PORT_COM2, %edx
4:
  lodsb
  test %al, %al
  jz 5f
  out %al, (%dx)
  jmp 4b
5:
  mov $END_PANIC, %al
  out %al, $PORT_DEBUG_EXIT
  cli
  hlt
  jmp 5b
  .cfi_endproc

  .code64
start64:
  .cfi_startproc
  .cfi_undefined 16 // the return address: nothing called this
  mov $HOST_DS, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $stack_top, %rsp
  xor %ebp, %ebp
  mov %edi, %edi // clears the upper halves of both arguments
  mov %esi, %esi
  call minvisor_main
  ud2
  .cfi_endproc

  .section .rodata
no_long_mode_text:
  .asciz "minvisor: panic: this CPU has no long mode; run MinVisor on a 64-bit CPU\n"
  .align 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff // HOST_CS: 64-bit code
  .quad 0x00cf92000000ffff // HOST_DS: data
gdt_pointer:
  .word . - gdt - 1
  .quad gdt

  .bss
  .align SIZE_4KIB
host_pml4:
  .skip SIZE_4KIB
host_pdpt:
  .skip SIZE_4KIB
host_directories:
  .skip 4 * SIZE_4KIB
  .skip STACK_SIZE
stack_top:

  .section .note.GNU-stack, "", @progbits
