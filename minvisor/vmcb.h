// The virtual machine control block, as AMD64 APM volume 2, appendix B lays it out.

#ifndef VMCB_H
#define VMCB_H

#include "types.h"

// Intercepts of word 3 (offset 00Ch).
#define INTERCEPT_INTR (1u << 0)
#define INTERCEPT_INIT (1u << 3)
#define INTERCEPT_VINTR (1u << 4)
#define INTERCEPT_CPUID (1u << 18)
#define INTERCEPT_INVD (1u << 22)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_INVLPGA (1u << 26)
#define INTERCEPT_IOIO_PROT (1u << 27)
#define INTERCEPT_MSR_PROT (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)

// Intercepts of word 4 (offset 010h).
#define INTERCEPT_VMRUN (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD (1u << 2)
#define INTERCEPT_VMSAVE (1u << 3)
#define INTERCEPT_STGI (1u << 4)
#define INTERCEPT_CLGI (1u << 5)
#define INTERCEPT_SKINIT (1u << 6)

#define TLB_CONTROL_FLUSH_ALL 1
#define NESTED_CONTROL_NP_ENABLE 1
#define INTERRUPT_SHADOW 1

// Offset 060h: the virtual interrupt and what masks a physical one.
#define V_IRQ (1ul << 8)
#define V_IGN_TPR (1ul << 20)
#define V_INTR_MASKING (1ul << 24)

// EVENTINJ and EXITINTINFO.
#define EVENT_VECTOR 0xfful
#define EVENT_TYPE (7ul << 8)
#define EVENT_INTR (0ul << 8)
#define EVENT_EXCEPTION (3ul << 8)
#define EVENT_SOFTWARE (4ul << 8)
#define EVENT_ERROR_VALID (1ul << 11)
#define EVENT_ERROR_SHIFT 32
#define EVENT_VALID (1ul << 31)

enum exit_code {
  EXIT_INTR = 0x60,
  EXIT_INIT = 0x63,
  EXIT_VINTR = 0x64,
  EXIT_CPUID = 0x72,
  EXIT_INVD = 0x76,
  EXIT_HLT = 0x78,
  EXIT_INVLPGA = 0x7a,
  EXIT_IOIO = 0x7b,
  EXIT_MSR = 0x7c,
  EXIT_SHUTDOWN = 0x7f,
  EXIT_VMRUN = 0x80,
  EXIT_VMMCALL = 0x81,
  EXIT_VMLOAD = 0x82,
  EXIT_VMSAVE = 0x83,
  EXIT_STGI = 0x84,
  EXIT_CLGI = 0x85,
  EXIT_SKINIT = 0x86,
  EXIT_NPF = 0x400,
};

#define EXIT_INVALID (~0ul)

struct segment {
  u16 selector;
  u16 attributes; // descriptor bits 47:40 and 55:52
  u32 limit;
  u64 base;
};

struct vmcb_control {
  u32 cr_intercepts;
  u32 dr_intercepts;
  u32 exception_intercepts;
  u32 intercepts_3;
  u32 intercepts_4;
  u8 reserved_014[0x040 - 0x014];
  u64 io_map_address;
  u64 msr_map_address;
  u64 tsc_offset;
  u32 asid;
  u32 tlb_control;
  u64 virtual_interrupt;
  u64 interrupt_shadow;
  u64 exit_code;
  u64 exit_info_1;
  u64 exit_info_2;
  u64 exit_interrupt_info;
  u64 nested_control;
  u8 reserved_098[0x0a8 - 0x098];
  u64 event_injection;
  u64 nested_cr3;
  u64 virtualization_extensions;
  u64 clean_bits;
  u64 next_rip;
  u8 reserved_0d0[0x400 - 0x0d0];
};

struct vmcb_save {
  struct segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
  u8 reserved_0a0[0x0cb - 0x0a0];
  u8 cpl;
  u32 reserved_0cc;
  u64 efer;
  u8 reserved_0d8[0x148 - 0x0d8];
  u64 cr4;
  u64 cr3;
  u64 cr0;
  u64 dr7;
  u64 dr6;
  u64 rflags;
  u64 rip;
  u8 reserved_180[0x1d8 - 0x180];
  u64 rsp;
  u8 reserved_1e0[0x1f8 - 0x1e0];
  u64 rax;
  u64 star;
  u64 lstar;
  u64 cstar;
  u64 sfmask;
  u64 kernel_gs_base;
  u64 sysenter_cs;
  u64 sysenter_esp;
  u64 sysenter_eip;
  u64 cr2;
  u8 reserved_248[0x268 - 0x248];
  u64 g_pat;
  u64 debugctl;
  u8 reserved_278[0xc00 - 0x278];
};

struct vmcb {
  struct vmcb_control control;
  struct vmcb_save save;
};

_Static_assert(offsetof(struct vmcb, control.io_map_address) == 0x040, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.exit_code) == 0x070, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.event_injection) == 0x0a8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.next_rip) == 0x0c8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.cpl) == 0x4cb, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.efer) == 0x4d0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.rip) == 0x578, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.rax) == 0x5f8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.cr2) == 0x640, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.g_pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB layout");

#endif
