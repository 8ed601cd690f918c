// A seeded bug for tests: minvisor/exit.c that takes memory back from the guest and then drops the
// order to flush its translations.

#include "minvisor.h"

struct guest_registers guest;

static const struct exit {
  u64 code;
  const char *name;
  void (*handle)(void);
} exit_table[] = {
  { EXIT_CPUID, "CPUID", exit_cpuid },
  { EXIT_IOIO, "IOIO", exit_ioio },
  { EXIT_MSR, "MSR", exit_msr },
  { EXIT_INTR, "INTR", exit_intr },
  { EXIT_VINTR, "VINTR", exit_vintr },
  { EXIT_HLT, "HLT", exit_hlt },
  { EXIT_NPF, "NPF", exit_npf },
  { EXIT_VMMCALL, "VMMCALL", exit_vmmcall },
  { EXIT_INVD, "INVD", exit_invd },
  { EXIT_INVLPGA, "INVLPGA", exit_svm_instruction },
  { EXIT_VMRUN, "VMRUN", exit_svm_instruction },
  { EXIT_VMLOAD, "VMLOAD", exit_svm_instruction },
  { EXIT_VMSAVE, "VMSAVE", exit_svm_instruction },
  { EXIT_STGI, "STGI", exit_svm_instruction },
  { EXIT_CLGI, "CLGI", exit_svm_instruction },
  { EXIT_SKINIT, "SKINIT", exit_svm_instruction },
  { EXIT_INIT, "INIT", exit_init },
  { EXIT_SHUTDOWN, "SHUTDOWN", exit_shutdown },
  { EXIT_INVALID, "INVALID", exit_invalid },
};

#define CALL_TAKE_BACK 1
#define VMMCALL_LENGTH 3
#define ENTRIES 512
#define ENTRY_ADDRESS 0x000ffffffffff000ul
#define TAKEN_BACK 0x0e000000
#define TLB_CONTROL_FLUSH_NONE 0

static u64 *next_table(u64 entry)
{
  return (u64 *)(entry & ENTRY_ADDRESS);
}

// The guest gives 2 MiB of its memory away.
static void take_back(void)
{
  u64 *directory = next_table(next_table(next_table(vmcb.control.nested_cr3)[0])[0]);

  directory[TAKEN_BACK / SIZE_2MIB % ENTRIES] = 0;
  vmcb.control.tlb_control = TLB_CONTROL_FLUSH_ALL;
  advance_rip(VMMCALL_LENGTH);
}

static void handle_exit(void)
{
  u64 code = vmcb.control.exit_code;

  if (code == EXIT_VMMCALL && (u32)vmcb.save.rax == CALL_TAKE_BACK) {
    take_back();
    return;
  }
  for (u32 i = 0; i < COUNT_OF(exit_table); i++) {
    if (exit_table[i].code == code) {
      count_exit(exit_table[i].name);
      exit_table[i].handle();
      return;
    }
  }
  panic("exit 0x%lx at guest rip 0x%lx was not asked for; no handler is in exit_table", code,
        vmcb.save.rip);
}

static void apply_options(void)
{
  if (options.intercept_hlt)
    vmcb.control.intercepts_3 |= INTERCEPT_HLT;
  if (options.intercept_intr) {
    vmcb.control.intercepts_3 |= INTERCEPT_INTR;
    vmcb.control.virtual_interrupt |= V_INTR_MASKING;
  }
}

// Runs the guest that the VMCB describes, for ever. GIF is 0 in the host throughout, but for the
// moments in interrupts.c; IF there says whether physical interrupts exit (V_INTR_MASKING). Clean bits stay 0, so every change to the VMCB counts.
void run_guest(void)
{
  apply_options();
  for (;;) {
    vmrun((u64)&vmcb, &guest);
    vmcb.control.event_injection = 0;
    handle_exit();
    reinject_interrupted_event();
    vmcb.control.tlb_control = TLB_CONTROL_FLUSH_NONE; // culprit
  }
}
