// A seeded bug for tests: minvisor/exit.c that after the first exit runs a second guest, on tables
// of its own but with the ASID of the first, and flushes nothing.

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

static void handle_exit(void)
{
  u64 code = vmcb.control.exit_code;

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

static struct vmcb second CONTROL_PAGE;
static u64 second_root[SIZE_4KIB / sizeof(u64)] CONTROL_PAGE;
static struct guest_registers second_guest;

// The second guest starts as the first does.
static void make_second(void)
{
  memcpy(second_root, (void *)vmcb.control.nested_cr3, sizeof second_root);
  memcpy(&second.save, &vmcb.save, sizeof second.save);
  second.control.intercepts_3 = vmcb.control.intercepts_3;
  second.control.intercepts_4 = vmcb.control.intercepts_4;
  second.control.io_map_address = vmcb.control.io_map_address;
  second.control.msr_map_address = vmcb.control.msr_map_address;
  second.control.nested_control = vmcb.control.nested_control;
  second.control.nested_cr3 = (u64)second_root;
  second.control.asid = vmcb.control.asid; // culprit
}

// Runs the guest that the VMCB describes, for ever. GIF is 0 in the host throughout, but for the
// moments in interrupts.c; IF there says whether physical interrupts exit (V_INTR_MASKING). Clean bits stay 0, so every change to the VMCB counts.
void run_guest(void)
{
  apply_options();
  make_second();
  for (bool is_first = true;; is_first = false) {
    vmrun((u64)&vmcb, &guest);
    vmcb.control.tlb_control = 0;
    vmcb.control.event_injection = 0;
    handle_exit();
    reinject_interrupted_event();
    // Its first exit is its last.
    if (is_first)
      vmrun((u64)&second, &second_guest);
  }
}
