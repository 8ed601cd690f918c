// The world switch of a 32-bit host: the six registers that the VMCB does not hold.

#define WARD_EBX 0
#define WARD_ECX 4
#define WARD_EDX 8
#define WARD_ESI 12
#define WARD_EDI 16
#define WARD_EBP 20

  .cfi_sections .debug_frame
  .text

// void switch_worlds(u32 vmcb_hpa, u32 host_vmcb_hpa, struct ward_registers *)
//
// Runs the guest until its next exit. GIF must be 0 and is 0 on return. FS, GS, TR and LDTR of the
// host wait in the VMCB at host_vmcb_hpa.
  .globl switch_worlds
  .type switch_worlds, @function
switch_worlds:
  .cfi_startproc
  push %edi
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset edi, 0
  push %esi
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset esi, 0
  push %ebx
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset ebx, 0
  push %ebp
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset ebp, 0

  mov 24(%esp), %eax
  vmsave %eax
  mov 28(%esp), %eax
  mov WARD_EBX(%eax), %ebx
  mov WARD_ECX(%eax), %ecx
  mov WARD_EDX(%eax), %edx
  mov WARD_ESI(%eax), %esi
  mov WARD_EDI(%eax), %edi
  mov WARD_EBP(%eax), %ebp
  mov 20(%esp), %eax
  vmload %eax
  .globl enter_ward
enter_ward:
  vmrun %eax
  vmsave %eax
  mov 28(%esp), %eax
  mov %ebx, WARD_EBX(%eax)
  mov %ecx, WARD_ECX(%eax)
  mov %edx, WARD_EDX(%eax)
  mov %esi, WARD_ESI(%eax)
  mov %edi, WARD_EDI(%eax)
  mov %ebp, WARD_EBP(%eax)
  mov 24(%esp), %eax
  vmload %eax

  pop %ebp
  .cfi_adjust_cfa_offset -4
  .cfi_restore ebp
  pop %ebx
  .cfi_adjust_cfa_offset -4
  .cfi_restore ebx
  pop %esi
  .cfi_adjust_cfa_offset -4
  .cfi_restore esi
  pop %edi
  .cfi_adjust_cfa_offset -4
  .cfi_restore edi
  ret
  .cfi_endproc
  .size switch_worlds, . - switch_worlds

  .section .note.GNU-stack, "", @progbits
