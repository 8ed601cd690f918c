// A seeded bug for tests: minvisor/event.c that adds the length which the instruction has without
// prefixes, whatever it has.

#include "minvisor.h"

#define CPUID_SVM_FEATURES 0x8000000a
#define SVM_FEATURE_EDX_NRIPS (1u << 3)
#define EXCEPTION_BP 3
#define EXCEPTION_OF 4

static bool is_contributory(u64 event)
{
  u64 vector = event & EVENT_VECTOR;

  return (event & EVENT_TYPE) == EVENT_EXCEPTION &&
         (vector == 0 || (vector >= EXCEPTION_TS && vector <= EXCEPTION_GP));
}

// Injects an exception with error code 0 where it has one. If the exit cut the delivery of another
// exception short, the two become #DF or a shutdown as on the CPU (section 8.2.9).
void inject_exception(u8 vector, bool has_error_code)
{
  u64 interrupted = vmcb.control.exit_interrupt_info;
  u64 event = EVENT_VALID | EVENT_EXCEPTION | vector;

  if ((interrupted & EVENT_VALID) && (interrupted & EVENT_TYPE) == EVENT_EXCEPTION) {
    u64 first = interrupted & EVENT_VECTOR;

    if (first == EXCEPTION_DF) {
      report_end("shutdown: the guest faulted while #DF was delivered");
      end_machine(END_SHUTDOWN);
    }
    bool is_double = first == EXCEPTION_PF ? vector == EXCEPTION_PF || is_contributory(event)
                                           : is_contributory(interrupted) && is_contributory(event);

    if (is_double) {
      event = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_DF;
      has_error_code = true;
    }
  }
  if (has_error_code && (vmcb.save.cr0 & CR0_PE))
    event |= EVENT_ERROR_VALID;
  vmcb.control.event_injection = event;
}

// With the linear address in CR2. Section 8.4.2 has the error code.
void inject_page_fault(u64 address, u32 error_code)
{
  vmcb.save.cr2 = address;
  inject_exception(EXCEPTION_PF, true);
  if ((vmcb.control.event_injection & EVENT_VECTOR) == EXCEPTION_PF)
    vmcb.control.event_injection |= (u64)error_code << EVENT_ERROR_SHIFT;
}

// Delivers again what an exit cut short, unless the handler has injected something over it. The
// INT family is left out: RIP is still at the instruction, which runs again.
void reinject_interrupted_event(void)
{
  u64 interrupted = vmcb.control.exit_interrupt_info;
  u64 vector = interrupted & EVENT_VECTOR;

  if (!(interrupted & EVENT_VALID) || (vmcb.control.event_injection & EVENT_VALID))
    return;
  if ((interrupted & EVENT_TYPE) == EVENT_SOFTWARE)
    return;
  if ((interrupted & EVENT_TYPE) == EVENT_EXCEPTION &&
      (vector == EXCEPTION_BP || vector == EXCEPTION_OF))
    return;
  vmcb.control.event_injection = interrupted;
}

// Moves RIP to the next instruction; the shadow of an STI or MOV SS before this one is over.
void set_rip(u64 rip)
{
  vmcb.save.rip = rip;
  vmcb.control.interrupt_shadow &= ~(u64)INTERRUPT_SHADOW;
}

// Past the intercepted instruction: by the VMCB's nRIP where the CPU gives it, otherwise by the
// length that the instruction has without prefixes.
void advance_rip(u64 length)
{
  vmcb.save.rip += length; // culprit
}
