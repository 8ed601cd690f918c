// How a run ends: the report on COM2, and stopping the machine where the guest cannot.

#include "minvisor.h"

// A read of the POST port takes about a microsecond on a PC, and changes nothing.
#define PORT_POST 0x80
#define END_WAITS 1000000

// Says why the run ends and prints all counts. The caller then lets the end happen.
void report_end(const char *reason)
{
  log("end %s", reason);
  log_counts();
  log("end of report");
}

// Gives a power-off or reset that was just written the time to happen: the guest must not run on.
void wait_for_end(const char *reason)
{
  for (u32 i = 0; i < END_WAITS; i++)
    in8(PORT_POST);
  log("the machine runs on after %s, and so does the guest", reason);
}

// Ends the machine through the debug-exit port; where there is none, the CPU halts for ever.
void end_machine(u8 status)
{
  out8(PORT_DEBUG_EXIT, status);
  halt_forever();
}
