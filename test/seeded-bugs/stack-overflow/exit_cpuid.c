// A seeded bug for tests: minvisor/exit_cpuid.c with a local array larger than the stack, below
// which the page tables of the host lie.

#include "minvisor.h"

#define LEAF_FEATURES 0x00000001
#define LEAF_EXTENDED_FEATURES 0x80000001
#define LEAF_SVM 0x8000000a
#define ECX_OSXSAVE (1u << 27)
#define ECX_SVM (1u << 2)
#define ECX_SKINIT (1u << 12)

#define CPUID_LENGTH 2

static __attribute__((noinline)) void use_scratch(void)
{
  volatile u8 scratch[STACK_SIZE + SIZE_4KIB];

  for (u32 i = 0; i < sizeof scratch; i++)
    scratch[i] = 0xff; // culprit
}

void exit_cpuid(void)
{
  u32 leaf = vmcb.save.rax;
  struct cpuid result = cpuid(leaf, guest.rcx);

  use_scratch();
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
  advance_rip(CPUID_LENGTH);
}
