// NPF: the guest touched memory that the nested tables do not map.

#include "minvisor.h"

// EXITINFO1 holds a page-fault error code, EXITINFO2 the guest-physical address (APM 2, 15.25.6).
#define ERROR_WRITE 2
#define ERROR_FETCH 16
#define LOGGED_MAX 16

static const char *access_name(u64 error)
{
  if (error & ERROR_FETCH)
    return "fetch";
  return error & ERROR_WRITE ? "write" : "read";
}

// To the guest it is as if no such memory could be addressed: #GP. A hostile guest may do this in
// a loop, so only the first few are logged.
void exit_npf(void)
{
  static u32 logged;
  u64 error = vmcb.control.exit_info_1, address = vmcb.control.exit_info_2;
  bool is_ours = address >= minvisor_region.start && address < minvisor_region.end;

  if (logged < LOGGED_MAX) {
    logged++;
    log("npf %s gpa 0x%lx %s rip 0x%lx", access_name(error), address,
        is_ours ? "protected" : "unmapped", vmcb.save.rip);
  }
  inject_exception(EXCEPTION_GP, true);
}
