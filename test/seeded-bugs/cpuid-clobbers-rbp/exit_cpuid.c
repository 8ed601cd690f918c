// A seeded bug for tests: minvisor/exit_cpuid.c that also gives the guest another RBP.

#include "minvisor.h"

#define LEAF_FEATURES 0x00000001
#define LEAF_EXTENDED_FEATURES 0x80000001
#define LEAF_SVM 0x8000000a
#define ECX_OSXSAVE (1u << 27)
#define ECX_SVM (1u << 2)
#define ECX_SKINIT (1u << 12)

#define CPUID_LENGTH 2

void exit_cpuid(void)
{
  u32 leaf = vmcb.save.rax;
  struct cpuid result = cpuid(leaf, guest.rcx);

  count_cpuid(leaf);
  if (leaf == LEAF_FEATURES) {
    // This bit mirrors CR4, and CR4 is the host's here.
    result.ecx &= ~ECX_OSXSAVE;
    if (vmcb.save.cr4 & CR4_OSXSAVE)
      result.ecx |= ECX_OSXSAVE;
  } else if (leaf == LEAF_EXTENDED_FEATURES) {
    result.ecx &= ~(ECX_SVM | ECX_SKINIT);
  } else if (leaf == LEAF_SVM) {
    result = (struct cpuid){ 0, 0, 0, 0 };
  }
  vmcb.save.rax = result.eax;
  guest.rbx = result.ebx;
  guest.rcx = result.ecx;
  guest.rdx = result.edx;
  guest.rbp = result.ebx; // culprit
  advance_rip(CPUID_LENGTH);
}
