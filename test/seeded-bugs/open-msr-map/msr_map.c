// A seeded bug for tests: minvisor/msr_map.c with a map of zeros: it lists what to intercept, and
// forgets the MSRs of SVM.

#include "minvisor.h"

#define FEATURE_ECX_X2APIC (1u << 21)
#define MAP_RANGE_MSRS 0x2000

enum right { READ = 1, WRITE = 2, BOTH = 3 };

// Two bits an MSR, the lower for RDMSR, the upper for WRMSR; 1 intercepts. 2 KiB for each of the
// ranges below, the last 2 KiB unused.
u8 msr_map[2 * SIZE_4KIB] CONTROL_PAGE;

static const u32 range_starts[] = { 0x00000000, 0xc0000000, 0xc0010000 };

// What the guest may own: state that VMLOAD, VMSAVE or the VMCB switches, or that nothing of the
// host depends on. EFER, VM_CR, VM_HSAVE_PA and APIC_BASE are not here: exit_msr.c looks at them.
static const struct {
  u32 first, last;
  enum right rights;
} guest_msrs[] = {
  { MSR_TSC, MSR_TSC, READ },
  { MSR_APIC_BASE, MSR_APIC_BASE, READ },
  { MSR_PATCH_LEVEL, MSR_PATCH_LEVEL, READ },
  { MSR_MTRR_CAP, MSR_MTRR_CAP, READ },
  { MSR_MTRR_VARIABLE_FIRST, MSR_MTRR_VARIABLE_LAST, READ },
  { MSR_MTRR_FIXED_FIRST, MSR_MTRR_FIXED_LAST, READ },
  { MSR_MTRR_DEFAULT, MSR_MTRR_DEFAULT, READ },
  { MSR_SYSENTER_CS, MSR_SYSENTER_EIP, BOTH },
  { MSR_PAT, MSR_PAT, BOTH },
  { MSR_STAR, MSR_SFMASK, BOTH },
  { MSR_FS_BASE, MSR_KERNEL_GS_BASE, BOTH },
  { MSR_TSC_AUX, MSR_TSC_AUX, BOTH },
  { MSR_SYSCFG, MSR_SYSCFG, READ },
  { MSR_HWCR, MSR_HWCR, READ },
  { MSR_INT_PENDING, MSR_INT_PENDING, READ }, // Linux asks it about C1E
};

static bool is_x2apic(u32 msr)
{
  return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST &&
         (cpuid(1, 0).ecx & FEATURE_ECX_X2APIC);
}

// Whether the policy lets the guest at an MSR, be it intercepted to be watched or not.
bool msr_map_allows(u32 msr, bool is_write)
{
  enum right right = is_write ? WRITE : READ;

  for (u32 i = 0; i < COUNT_OF(guest_msrs); i++)
    if (msr >= guest_msrs[i].first && msr <= guest_msrs[i].last)
      return guest_msrs[i].rights & right;
  return is_x2apic(msr);
}

static void open(u32 msr, enum right rights)
{
  for (u32 range = 0; range < COUNT_OF(range_starts); range++) {
    u32 offset = msr - range_starts[range];

    if (offset < MAP_RANGE_MSRS)
      msr_map[range * MAP_RANGE_MSRS / 4 + offset / 4] &= ~(rights << offset % 4 * 2);
  }
}

// Call after options_read.
void msr_map_init(void)
{
  for (u32 i = 0; i < sizeof msr_map; i++)
    msr_map[i] = 0; // culprit
  if (options.intercept_msr)
    return;
  for (u32 i = 0; i < COUNT_OF(guest_msrs); i++)
    for (u32 msr = guest_msrs[i].first; msr <= guest_msrs[i].last; msr++)
      open(msr, guest_msrs[i].rights);
  for (u32 msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++)
    if (is_x2apic(msr))
      open(msr, BOTH);
}
