// INTR and VINTR: a physical interrupt came, or the guest can now take one that waits.

#include "minvisor.h"

void exit_intr(void)
{
  forward_interrupt();
}

// The virtual interrupt stood for a physical one, which may be gone by now: then nothing is injected.
void exit_vintr(void)
{
  forward_interrupt();
}
