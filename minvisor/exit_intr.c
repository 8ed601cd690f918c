// INTR and VINTR: a physical interrupt came, or the guest can now take one that waits.

#include "minvisor.h"

void exit_intr(void)
{
  forward_interrupt();
}

// The exit is the message: offer_interrupts, right before the next VMRUN, injects.
void exit_vintr(void)
{
}
