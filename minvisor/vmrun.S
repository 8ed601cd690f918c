// The world switch: general registers around VMRUN (AMD64 APM volume 2, section 15.5).

// Offsets of struct guest_registers (minvisor.h). RAX and RSP travel in the VMCB.
#define GUEST_RBX 0x00
#define GUEST_RCX 0x08
#define GUEST_RDX 0x10
#define GUEST_RSI 0x18
#define GUEST_RDI 0x20
#define GUEST_RBP 0x28
#define GUEST_R8 0x30
#define GUEST_R9 0x38
#define GUEST_R10 0x40
#define GUEST_R11 0x48
#define GUEST_R12 0x50
#define GUEST_R13 0x58
#define GUEST_R14 0x60
#define GUEST_R15 0x68

  .cfi_sections .debug_frame
  .text

// void vmrun(u64 vmcb_address, struct guest_registers *guest)
//
// Runs the guest until its next exit. GIF must be 0 and is 0 on return. VMLOAD and VMSAVE move
// FS, GS, TR, LDTR, KernelGSBase, STAR.. and SYSENTER..; the host uses none of these, so its own
// are not kept and those of the guest stay in the CPU until the next call.
// The frame is described from RSP: RBP holds the guest's value at the VMRUN itself.
  .globl vmrun
  .type vmrun, @function
vmrun:
  .cfi_startproc
  push %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbp, 0
  mov %rsp, %rbp
  push %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  push %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r12, 0
  push %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r13, 0
  push %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r14, 0
  push %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset r15, 0
  push %rsi
  .cfi_adjust_cfa_offset 8

  mov %rdi, %rax
  mov GUEST_RBX(%rsi), %rbx
  mov GUEST_RCX(%rsi), %rcx
  mov GUEST_RDX(%rsi), %rdx
  mov GUEST_RDI(%rsi), %rdi
  mov GUEST_RBP(%rsi), %rbp
  mov GUEST_R8(%rsi), %r8
  mov GUEST_R9(%rsi), %r9
  mov GUEST_R10(%rsi), %r10
  mov GUEST_R11(%rsi), %r11
  mov GUEST_R12(%rsi), %r12
  mov GUEST_R13(%rsi), %r13
  mov GUEST_R14(%rsi), %r14
  mov GUEST_R15(%rsi), %r15
  mov GUEST_RSI(%rsi), %rsi

  vmload %rax
  .globl vmrun_instruction
vmrun_instruction:
  vmrun %rax
  vmsave %rax

  push %rdi
  .cfi_adjust_cfa_offset 8
  mov 8(%rsp), %rdi
  mov %rbx, GUEST_RBX(%rdi)
  mov %rcx, GUEST_RCX(%rdi)
  mov %rdx, GUEST_RDX(%rdi)
  mov %rsi, GUEST_RSI(%rdi)
  mov %rbp, GUEST_RBP(%rdi)
  mov %r8, GUEST_R8(%rdi)
  mov %r9, GUEST_R9(%rdi)
  mov %r10, GUEST_R10(%rdi)
  mov %r11, GUEST_R11(%rdi)
  mov %r12, GUEST_R12(%rdi)
  mov %r13, GUEST_R13(%rdi)
  mov %r14, GUEST_R14(%rdi)
  mov %r15, GUEST_R15(%rdi)
  pop GUEST_RDI(%rdi)
  .cfi_adjust_cfa_offset -8

  pop %rsi
  .cfi_adjust_cfa_offset -8
  pop %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore r15
  pop %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore r14
  pop %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore r13
  pop %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore r12
  pop %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  pop %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbp
  ret
  .cfi_endproc
  .size vmrun, . - vmrun

  .section .note.GNU-stack, "", @progbits
