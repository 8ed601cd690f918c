// The loop between the worlds: run, find the handler, skip what it has done.

#include "warden.h"

static struct vmcb host_vmcb PAGE_ALIGNED;

struct row {
  enum exit_code code;
  handler *handle;
  const char *name;
};

static const struct row rows[] = {
  { EXIT_CPUID, handle_cpuid, "CPUID" },
  { EXIT_HLT, handle_hlt, "HLT" },
  { EXIT_IOIO, handle_port, "IOIO" },
  { EXIT_MSR, handle_msr, "MSR" },
  { EXIT_SHUTDOWN, handle_shutdown, "SHUTDOWN" },
  { EXIT_VMMCALL, handle_call, "VMMCALL" },
  { EXIT_NPF, handle_fault, "NPF" },
};

#define ROWS (sizeof rows / sizeof rows[0])

static u32 counts[ROWS];

struct outcome handle_hlt(struct ward *ward)
{
  say_number("warden: the ward halts at ", ward->vmcb->rip);
  return done(1);
}

struct outcome handle_shutdown(struct ward *ward)
{
  say_number("warden: the ward is down at ", ward->vmcb->rip);
  return (struct outcome){ 0, 0 };
}

static struct outcome dispatch(struct ward *ward, u64 code)
{
  for (u32 i = 0; i < ROWS; i++) {
    const struct row *row = &rows[i];

    if (row->code != code)
      continue;
    counts[i]++;
    return row->handle(ward);
  }
  say_number("warden: no handler for exit ", code);
  return (struct outcome){ 0, 0 };
}

void supervise(struct ward *ward)
{
  struct outcome outcome;

  ward->state = WARD_RUNNING;
  do {
    switch_worlds(HPA(ward->vmcb), HPA(&host_vmcb), &ward->registers);
    ward->exits++;
    outcome = dispatch(ward, ward->vmcb->exitcode);
    ward->vmcb->rip += outcome.skip;
    ward->vmcb->tlb_control = ward->vmcb->exitcode == EXIT_NPF;
  } while (outcome.resume);
  for (u32 i = 0; i < ROWS; i++) {
    say("warden: exits of ");
    say(rows[i].name);
    say_number(" ", counts[i]);
  }
}
