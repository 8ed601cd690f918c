// HLT, when it is watched: the host sleeps in the guest's place.

#include "minvisor.h"

#define HLT_LENGTH 1

void exit_hlt(void)
{
  advance_rip(HLT_LENGTH);
  if (!(vmcb.save.rflags & RFLAGS_IF)) {
    report_end("halted with interrupts off");
    end_machine(END_HALTED);
  }
  sleep_for_guest();
}
