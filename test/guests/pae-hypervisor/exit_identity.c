// What the guest may know of its CPU: CPUID and the MSRs.

#include "warden.h"

#define CPUID_LENGTH 2
#define MSR_LENGTH 2
#define MSR_EFER 0xc0000080
#define EFER_SVME (1u << 12)
#define MSR_SYSENTER_CS 0x174
#define LEAF_VENDOR 0
#define LEAF_EXTENDED_FEATURES 0x80000001
#define FEATURE_SVM (1u << 2)

struct cpuid_answer {
  u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_answer cpuid(u32 leaf, u32 subleaf)
{
  struct cpuid_answer answer;

  asm volatile("cpuid"
               : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
               : "a"(leaf), "c"(subleaf));
  return answer;
}

static inline void hide(struct cpuid_answer *answer, u32 leaf)
{
  if (leaf == LEAF_EXTENDED_FEATURES)
    answer->ecx &= ~FEATURE_SVM;
}

struct outcome handle_cpuid(struct ward *ward)
{
  static u32 asked;
  u32 leaf = ward->vmcb->rax;
  struct cpuid_answer answer = cpuid(leaf, ward->registers.ecx);

  asked++;
  hide(&answer, leaf);
  if (leaf == LEAF_VENDOR)
    answer.ebx = 0x64726157; // "Ward"
  ward->vmcb->rax = answer.eax;
  ward->registers.ebx = answer.ebx;
  ward->registers.ecx = answer.ecx;
  ward->registers.edx = answer.edx;
  return done(CPUID_LENGTH);
}

struct outcome handle_msr(struct ward *ward)
{
  struct ward_registers *registers = &ward->registers;
  bool is_write = ward->vmcb->exitinfo1 & 1;
  u32 msr = registers->ecx;

  if (is_write) {
    if (msr == MSR_SYSENTER_CS)
      wrmsr(msr, (u32)ward->vmcb->rax);
    return done(MSR_LENGTH);
  }
  u64 value = msr == MSR_EFER ? ward->vmcb->efer & ~EFER_SVME : msr == MSR_SYSENTER_CS ? rdmsr(msr) : 0;
  ward->vmcb->rax = (u32)value;
  registers->edx = value >> 32;
  return done(MSR_LENGTH);
}
