// What the files of this hypervisor know of each other: types, the VMCB, and every prototype.

#ifndef WARDEN_H
#define WARDEN_H

#include "layout.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

#define PAGE_ALIGNED __attribute__((aligned(SIZE_4KIB)))
#define HPA(pointer) ((u32)(pointer) - HIGH_HALF)
#define AT_HPA(address) ((void *)((u32)(address) + HIGH_HALF))

// General registers of the guest that the VMCB does not hold; switch.S knows the offsets.
struct ward_registers {
  u32 ebx, ecx, edx, esi, edi, ebp;
};

enum exit_code {
  EXIT_CPUID = 0x72,
  EXIT_HLT = 0x78,
  EXIT_IOIO = 0x7b,
  EXIT_MSR = 0x7c,
  EXIT_SHUTDOWN = 0x7f,
  EXIT_VMMCALL = 0x81,
  EXIT_NPF = 0x400,
};

// EXITINFO1 of an IOIO exit (APM volume 2, section 15.10.2).
union port_info {
  u32 word;
  struct {
    u32 is_in : 1, : 1, is_string : 1, has_rep : 1;
    u32 is_8 : 1, is_16 : 1, is_32 : 1;
    u32 address_size : 3, segment : 3, : 3;
    u32 port : 16;
  };
};

// EXITINFO1 of a nested page fault (section 15.25.6).
union fault_info {
  u64 word;
  struct {
    u32 present : 1, write : 1, user : 1, reserved : 1, fetch : 1, : 27;
    u32 in_final : 1, in_table : 1, : 30;
  };
};

struct vmcb_segment {
  u16 selector, attributes;
  u32 limit;
  u64 base;
};

// Appendix B; the names are the manual's in lower case.
struct vmcb {
  u16 cr_read, cr_write, dr_read, dr_write;
  u32 exceptions, intercepts_1, intercepts_2;
  u8 reserved_1[0x2c];
  u64 iopm_base_pa, msrpm_base_pa, tsc_offset;
  u32 guest_asid;
  u8 tlb_control, reserved_2[3];
  u64 v_intr, interrupt_shadow;
  u64 exitcode, exitinfo1, exitinfo2, exitintinfo;
  u64 np_enable;
  u8 reserved_3[0x10];
  u64 eventinj, n_cr3;
  u8 reserved_4[0x348];
  struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
  u8 reserved_5[0x2b], cpl, reserved_6[4];
  u64 efer;
  u8 reserved_7[0x70];
  u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
  u8 reserved_8[0x58];
  u64 rsp;
  u8 reserved_9[0x18];
  u64 rax;
  u8 reserved_10[0x68];
  u64 g_pat;
  u8 reserved_11[0x990];
};

_Static_assert(__builtin_offsetof(struct vmcb, exitcode) == 0x70, "appendix B, table B-1");
_Static_assert(__builtin_offsetof(struct vmcb, es) == 0x400, "appendix B, table B-2");
_Static_assert(__builtin_offsetof(struct vmcb, g_pat) == 0x668, "appendix B, table B-2");
_Static_assert(sizeof(struct vmcb) == SIZE_4KIB, "a VMCB is a page");

// A guest: its control block, the rest of its registers, and what the handlers keep of it.
struct ward {
  struct vmcb *vmcb;
  struct ward_registers registers;
  enum ward_state { WARD_NEW, WARD_RUNNING, WARD_ENDED } state;
  u8 scratch;
  char name[12];
  u32 exits;
};

// What a handler makes of an exit.
struct outcome {
  bool resume : 1;
  u32 skip : 5; // bytes of the instruction that is done
};

typedef struct outcome handler(struct ward *ward);

static inline u8 in8(u16 port)
{
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void out8(u16 port, u8 value)
{
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u64 rdmsr(u32 msr)
{
  u64 value;
  asm volatile("rdmsr" : "=A"(value) : "c"(msr));
  return value;
}

static inline void wrmsr(u32 msr, u64 value)
{
  asm volatile("wrmsr" : : "A"(value), "c"(msr));
}

static inline struct outcome done(u32 length)
{
  return (struct outcome){ 1, length };
}

// exits.c
extern handler handle_shutdown, handle_hlt;
void supervise(struct ward *ward);

// exit_identity.c
extern handler handle_cpuid, handle_msr;

// exit_port.c
extern handler handle_port;
void port_map_init(struct vmcb *vmcb);

// exit_call.c
extern handler handle_call;

// nested.c
extern handler handle_fault;
u32 nested_init(void);

// serial.c
void say(const char *text);
void drain(void);
void say_number(const char *label, u32 number);

// switch.S
void switch_worlds(u32 vmcb_hpa, u32 host_vmcb_hpa, struct ward_registers *registers);

// warden.c
void warden_main(const u32 *boot_information) __attribute__((noreturn));
void end_machine(void) __attribute__((noreturn));

#endif
