// SHUTDOWN, INIT and INVALID: exits after which there is no guest to go back to.

#include "minvisor.h"

void exit_shutdown(void)
{
  log("the guest shut down (triple fault) at rip 0x%lx rsp 0x%lx cr3 0x%lx", vmcb.save.rip,
      vmcb.save.rsp, vmcb.save.cr3);
  report_end("shutdown");
  end_machine(END_SHUTDOWN);
}

// The CPU would leave guest mode for the reset vector.
void exit_init(void)
{
  report_end("INIT");
  end_machine(END_INIT);
}

void exit_invalid(void)
{
  panic("VMRUN found the guest's state illegal (rip 0x%lx cr0 0x%lx cr4 0x%lx efer 0x%lx); see "
        "APM volume 2, section 15.5.1",
        vmcb.save.rip, vmcb.save.cr0, vmcb.save.cr4, vmcb.save.efer);
}
