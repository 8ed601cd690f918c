// RDMSR and WRMSR that answer whether the CPU has the MSR, in place of a #GP in the host.

  .cfi_sections .debug_frame
  .text

// bool read_msr(u32 msr, u64 *value)
  .globl read_msr, read_msr_instruction
  .type read_msr, @function
read_msr:
  .cfi_startproc
  mov %edi, %ecx
read_msr_instruction:
  rdmsr
  mov %eax, (%rsi)
  mov %edx, 4(%rsi)
  mov $1, %eax
  ret
  .cfi_endproc
  .size read_msr, . - read_msr

// bool write_msr(u32 msr, u64 value)
  .globl write_msr, write_msr_instruction
  .type write_msr, @function
write_msr:
  .cfi_startproc
  mov %edi, %ecx
  mov %esi, %eax
  mov %rsi, %rdx
  shr $32, %rdx
write_msr_instruction:
  wrmsr
  mov $1, %eax
  ret

// host_interrupt continues here after a #GP at one of the two instructions.
  .globl msr_access_fault
msr_access_fault:
  xor %eax, %eax
  ret
  .cfi_endproc
  .size write_msr, . - write_msr

  .section .note.GNU-stack, "", @progbits
