// How a run ends: the report on COM2, and stopping the machine where the guest cannot.

#include "minvisor.h"

// Says why the run ends and prints all counts. The caller then lets the end happen.
void report_end(const char *reason)
{
  log("end %s", reason);
  log_counts();
  log("end of report");
}

// Ends the machine through the debug-exit port; where there is none, the CPU halts for ever.
void end_machine(u8 status)
{
  out8(PORT_DEBUG_EXIT, status);
  halt_forever();
}
