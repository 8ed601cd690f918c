// A seeded bug for tests: minvisor/vmcb.c without the intercept of VMRUN, which VMRUN itself asks
// for.

#include "minvisor.h"

#define ASID 1
#define PAT_AT_RESET 0x0007040600070406ul
#define DR6_AT_RESET 0xffff0ff0ul
#define DR7_AT_RESET 0x400ul

// Segment attributes: descriptor bits 47:40 (present, DPL, S, type) and 55:52 (G, D/B, L, AVL).
#define CODE_16 0x009b
#define DATA_16 0x0093
#define CODE_32 0x0c9b
#define DATA_32 0x0c93
#define LDT 0x0082
#define TSS_BUSY 0x008b

#define LIMIT_64KIB 0xffff
#define LIMIT_4GIB 0xffffffff

// Selectors that the Linux 32-bit boot protocol asks for.
#define LINUX_CS 0x10
#define LINUX_DS 0x18

struct vmcb vmcb CONTROL_PAGE;
u8 host_save_area[SIZE_4KIB] CONTROL_PAGE;

// Always intercepted, whatever the options: what would let the guest out (the SVM instructions,
// INIT, INVD on the host's dirty lines), what tells it that SVM is there (CPUID), what ends it
// (SHUTDOWN), and ports and MSRs as far as their maps say.
#define ALWAYS_3                                                                                   \
  (INTERCEPT_CPUID | INTERCEPT_INIT | INTERCEPT_INVD | INTERCEPT_INVLPGA | INTERCEPT_IOIO_PROT |   \
   INTERCEPT_MSR_PROT | INTERCEPT_SHUTDOWN)
#define ALWAYS_4                                                                                   \
  (INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |    \
   INTERCEPT_CLGI | INTERCEPT_SKINIT)

// Sets all that does not depend on the kind of guest. The options are applied by exit.c, right
// before the first VMRUN.
void vmcb_init(u64 nested_cr3)
{
  struct vmcb_control *control = &vmcb.control;
  struct vmcb_save *save = &vmcb.save;

  control->intercepts_3 = ALWAYS_3;
  control->intercepts_4 = ALWAYS_4 & ~INTERCEPT_VMRUN; // culprit
  control->io_map_address = (u64)io_map;
  control->msr_map_address = (u64)msr_map;
  control->asid = ASID;
  control->tlb_control = TLB_CONTROL_FLUSH_ALL;
  control->nested_control = NESTED_CONTROL_NP_ENABLE;
  control->nested_cr3 = nested_cr3;

  save->gdtr.limit = LIMIT_64KIB;
  save->idtr.limit = LIMIT_64KIB;
  save->ldtr = (struct segment){ 0, LDT, LIMIT_64KIB, 0 };
  save->tr = (struct segment){ 0, TSS_BUSY, LIMIT_64KIB, 0 };
  save->efer = EFER_SVME;
  save->dr6 = DR6_AT_RESET;
  save->dr7 = DR7_AT_RESET;
  save->rflags = RFLAGS_FIXED;
  save->g_pat = PAT_AT_RESET;
}

static void set_data_segments(struct segment segment)
{
  vmcb.save.ds = segment;
  vmcb.save.es = segment;
  vmcb.save.fs = segment;
  vmcb.save.gs = segment;
  vmcb.save.ss = segment;
}

// Real mode at 0000:ip with the interrupt vector table at 0.
void vmcb_enter_real_mode(u16 ip, u16 sp)
{
  vmcb.save.cs = (struct segment){ 0, CODE_16, LIMIT_64KIB, 0 };
  set_data_segments((struct segment){ 0, DATA_16, LIMIT_64KIB, 0 });
  vmcb.save.idtr.limit = 0x3ff;
  vmcb.save.cr0 = CR0_ET;
  vmcb.save.rip = ip;
  vmcb.save.rsp = sp;
}

// 32-bit protected mode with flat segments, paging and interrupts off.
void vmcb_enter_protected_mode(u32 eip, u32 gdt_base, u16 gdt_limit)
{
  vmcb.save.cs = (struct segment){ LINUX_CS, CODE_32, LIMIT_4GIB, 0 };
  set_data_segments((struct segment){ LINUX_DS, DATA_32, LIMIT_4GIB, 0 });
  vmcb.save.gdtr.base = gdt_base;
  vmcb.save.gdtr.limit = gdt_limit;
  vmcb.save.idtr.limit = 0;
  vmcb.save.cr0 = CR0_PE | CR0_ET;
  vmcb.save.rip = eip;
}
