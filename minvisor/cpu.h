// Single instructions of the CPU as C functions, and the names of the bits that they work on.

#ifndef CPU_H
#define CPU_H

#include "types.h"

#define CR0_PE (1ul << 0)
#define CR0_ET (1ul << 4)
#define CR0_PG (1ul << 31)
#define CR4_OSXSAVE (1ul << 18)
#define RFLAGS_FIXED (1ul << 1)
#define RFLAGS_IF (1ul << 9)

#define EFER_SCE (1ul << 0)
#define EFER_LME (1ul << 8)
#define EFER_LMA (1ul << 10)
#define EFER_NXE (1ul << 11)
#define EFER_SVME (1ul << 12)
#define EFER_FFXSR (1ul << 14)

#define VM_CR_LOCK (1ul << 3)
#define VM_CR_SVMDIS (1ul << 4)

enum msr {
  MSR_TSC = 0x10,
  MSR_APIC_BASE = 0x1b,
  MSR_PATCH_LEVEL = 0x8b,
  MSR_MTRR_CAP = 0xfe,
  MSR_SYSENTER_CS = 0x174,
  MSR_SYSENTER_ESP = 0x175,
  MSR_SYSENTER_EIP = 0x176,
  MSR_MTRR_VARIABLE_FIRST = 0x200,
  MSR_MTRR_VARIABLE_LAST = 0x20f,
  MSR_MTRR_FIXED_FIRST = 0x250,
  MSR_MTRR_FIXED_LAST = 0x26f,
  MSR_PAT = 0x277,
  MSR_MTRR_DEFAULT = 0x2ff,
  MSR_X2APIC_FIRST = 0x802,
  MSR_X2APIC_LAST = 0x83f,
  MSR_EFER = 0xc0000080,
  MSR_STAR = 0xc0000081,
  MSR_LSTAR = 0xc0000082,
  MSR_CSTAR = 0xc0000083,
  MSR_SFMASK = 0xc0000084,
  MSR_FS_BASE = 0xc0000100,
  MSR_GS_BASE = 0xc0000101,
  MSR_KERNEL_GS_BASE = 0xc0000102,
  MSR_TSC_AUX = 0xc0000103,
  MSR_SYSCFG = 0xc0010010,
  MSR_HWCR = 0xc0010015,
  MSR_INT_PENDING = 0xc0010055,
  MSR_VM_CR = 0xc0010114,
  MSR_VM_HSAVE_PA = 0xc0010117,
};

enum exception {
  EXCEPTION_DB = 1,
  EXCEPTION_UD = 6,
  EXCEPTION_DF = 8,
  EXCEPTION_TS = 10,
  EXCEPTION_GP = 13,
  EXCEPTION_PF = 14,
};

struct cpuid {
  u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
  struct cpuid result;

  asm volatile("cpuid"
               : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
               : "a"(leaf), "c"(subleaf));
  return result;
}

static inline u64 rdmsr(u32 msr)
{
  u32 low, high;

  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
  asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u8 in8(u16 port)
{
  u8 value;

  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u16 in16(u16 port)
{
  u16 value;

  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u32 in32(u16 port)
{
  u32 value;

  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void out8(u16 port, u8 value)
{
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(u16 port, u16 value)
{
  asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(u16 port, u32 value)
{
  asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline void clgi(void)
{
  asm volatile("clgi" : : : "memory");
}

static inline void cli(void)
{
  asm volatile("cli" : : : "memory");
}

static inline void sti(void)
{
  asm volatile("sti" : : : "memory");
}

static inline void halt_forever(void) __attribute__((noreturn));
static inline void halt_forever(void)
{
  for (;;)
    asm volatile("cli; hlt");
}

#endif
