// A seeded bug for tests: minvisor/exit_msr.c that writes each MSR off the list for the guest.

#include "minvisor.h"

#define MSR_LENGTH 2

#define APIC_BASE_ADDRESS 0x000ffffffffff000ul
#define CPUID_EXTENDED_FEATURES 0x80000001
#define FEATURE_EDX_NX (1u << 20)
#define FEATURE_EDX_FXSR_OPT (1u << 25)

// Where the VMCB holds an MSR's guest value; all others are the CPU's own.
static u64 *saved_msr(u32 msr)
{
  struct vmcb_save *save = &vmcb.save;

  switch (msr) {
  case MSR_SYSENTER_CS:
    return &save->sysenter_cs;
  case MSR_SYSENTER_ESP:
    return &save->sysenter_esp;
  case MSR_SYSENTER_EIP:
    return &save->sysenter_eip;
  case MSR_PAT:
    return &save->g_pat;
  case MSR_STAR:
    return &save->star;
  case MSR_LSTAR:
    return &save->lstar;
  case MSR_CSTAR:
    return &save->cstar;
  case MSR_SFMASK:
    return &save->sfmask;
  case MSR_FS_BASE:
    return &save->fs.base;
  case MSR_GS_BASE:
    return &save->gs.base;
  case MSR_KERNEL_GS_BASE:
    return &save->kernel_gs_base;
  default:
    return NULL;
  }
}

static bool is_canonical(u64 address)
{
  return (long)(address << 16) >> 16 == (long)address;
}

// Memory types 2 and 3 are reserved, and so are bits 7:3 of each of the eight fields.
static bool is_pat(u64 value)
{
  for (u32 field = 0; field < 8; field++) {
    u8 type = value >> field * 8;

    if (type > 7 || type == 2 || type == 3)
      return false;
  }
  return true;
}

// Whether WRMSR would take the value, for the registers that the VMCB holds.
static bool is_valid(u32 msr, u64 value)
{
  switch (msr) {
  case MSR_STAR:
  case MSR_SFMASK:
  case MSR_SYSENTER_CS:
    return true;
  case MSR_PAT:
    return is_pat(value);
  default:
    return is_canonical(value);
  }
}

// EFER: the guest sees SVME as 0 and cannot change it; in the VMCB it stays 1, which VMRUN asks
// for. LMA is the CPU's own. LME cannot change while paging is on.
static bool write_efer(u64 value)
{
  u64 old = vmcb.save.efer;
  u32 features = cpuid(CPUID_EXTENDED_FEATURES, 0).edx;
  u64 writable = EFER_SCE | EFER_LME;

  if (features & FEATURE_EDX_NX)
    writable |= EFER_NXE;
  if (features & FEATURE_EDX_FXSR_OPT)
    writable |= EFER_FFXSR;
  if (value & ~(writable | EFER_LMA))
    return false;
  if (((value ^ old) & EFER_LME) && (vmcb.save.cr0 & CR0_PG))
    return false;
  // Translations cached under the other meaning of the NX bit must not outlive it.
  if ((value ^ old) & EFER_NXE)
    vmcb.control.tlb_control = TLB_CONTROL_FLUSH_ALL;
  vmcb.save.efer = (value & writable) | (old & EFER_LMA) | EFER_SVME;
  return true;
}

// The APIC may change its mode but not its address: over MinVisor's memory it would hide it.
static bool write_apic_base(u64 value)
{
  if ((value ^ rdmsr(MSR_APIC_BASE)) & APIC_BASE_ADDRESS)
    return false;
  return write_msr(MSR_APIC_BASE, value);
}

static bool read_mediated(u32 msr, u64 *value)
{
  switch (msr) {
  case MSR_EFER:
    *value = vmcb.save.efer & ~EFER_SVME;
    return true;
  case MSR_VM_CR:
    *value = VM_CR_SVMDIS | VM_CR_LOCK; // as firmware leaves it that offers no SVM
    return true;
  default:
    return false;
  }
}

static bool write_mediated(u32 msr, u64 value)
{
  switch (msr) {
  case MSR_EFER:
    return write_efer(value);
  case MSR_VM_CR:
    return true; // locked: the CPU ignores the write
  case MSR_APIC_BASE:
    return write_apic_base(value);
  default:
    return write_msr(msr, value); // culprit
  }
}

static bool pass_read(u32 msr, u64 *value)
{
  const u64 *saved = saved_msr(msr);

  if (!saved)
    return read_msr(msr, value);
  *value = *saved;
  return true;
}

static bool pass_write(u32 msr, u64 value)
{
  u64 *saved = saved_msr(msr);

  if (!saved)
    return write_msr(msr, value);
  if (!is_valid(msr, value))
    return false;
  *saved = value;
  return true;
}

void exit_msr(void)
{
  u32 msr = guest.rcx;
  bool is_write = vmcb.control.exit_info_1;
  bool is_open = msr_map_allows(msr, is_write);
  u64 value = guest.rdx << 32 | (u32)vmcb.save.rax;
  bool done;

  if (is_write)
    done = is_open ? pass_write(msr, value) : write_mediated(msr, value);
  else
    done = is_open ? pass_read(msr, &value) : read_mediated(msr, &value);
  count_msr(msr, is_write, !done ? REFUSED : is_open ? PASSED : MEDIATED);
  if (!done) {
    inject_exception(EXCEPTION_GP, true);
    return;
  }
  if (!is_write) {
    vmcb.save.rax = (u32)value;
    guest.rdx = value >> 32;
  }
  advance_rip(MSR_LENGTH);
}
