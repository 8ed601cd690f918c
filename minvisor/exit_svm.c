// The SVM instructions, VMMCALL among them, and INVD.

#include "minvisor.h"

#define VMMCALL_LENGTH 3
#define INVD_LENGTH 2

// The one call that MinVisor answers: EAX = 0 asks whether it is there, and "MinV" in EAX says so.
#define CALL_SIGNATURE 0
#define SIGNATURE 0x566e694d

void exit_vmmcall(void)
{
  if ((u32)vmcb.save.rax != CALL_SIGNATURE) {
    inject_exception(EXCEPTION_UD, false);
    return;
  }
  vmcb.save.rax = SIGNATURE;
  advance_rip(VMMCALL_LENGTH);
}

// The guest has been told that there is no SVM; EFER.SVME is 1 in the VMCB all the same.
void exit_svm_instruction(void)
{
  inject_exception(EXCEPTION_UD, false);
}

// INVD would drop dirty cache lines, the host's too: WBINVD writes them back first.
void exit_invd(void)
{
  asm volatile("wbinvd");
  advance_rip(INVD_LENGTH);
}
