// The host's IDT, and physical interrupts on their way to the guest.
//
// With intercept=intr every physical interrupt exits, even while the guest masks its own
// (V_INTR_MASKING, APM volume 2, section 15.21.1): a guest that loops with IF = 0 does not keep
// MinVisor from running, as long as some device interrupts.
// The interrupt controller is acknowledged only when the guest can take the interrupt: until then
// its vector is not fixed (the guest may program the controller meanwhile). So:
//
//   guest can take it    GIF is set for a moment; the CPU acknowledges, the vector arrives in
//                        host_interrupt and is injected by EVENTINJ at the next VMRUN
//   guest cannot yet     the guest runs on with physical interrupts masked (host IF = 0) and a
//                        virtual interrupt pending, whose intercept (VINTR) tells when it can

#include "minvisor.h"

#define VECTORS 256
#define STUB_SIZE 16
#define GATE_INTERRUPT_64 0x8e00

struct gate {
  u16 offset_low;
  u16 selector;
  u16 attributes;
  u16 offset_middle;
  u32 offset_high;
  u32 reserved;
};

struct __attribute__((packed)) table_pointer {
  u16 limit;
  u64 base;
};

static struct gate idt[VECTORS] __attribute__((aligned(16)));

// The vector that arrived while accepting, or NONE.
#define NONE (-1)
static int accepted = NONE;
static bool accepting;

void interrupts_init(void)
{
  struct table_pointer pointer = { sizeof idt - 1, (u64)idt };

  for (u32 vector = 0; vector < VECTORS; vector++) {
    u64 stub = (u64)interrupt_stubs + vector * STUB_SIZE;

    idt[vector] = (struct gate){ stub, HOST_CS, GATE_INTERRUPT_64, stub >> 16, stub >> 32, 0 };
  }
  asm volatile("lidt %0" : : "m"(pointer));
}

// Called by the stubs with the vector and what is on the stack: the error code or 0, then RIP, CS,
// RFLAGS, RSP and SS as the CPU pushed them.
void host_interrupt(u64 vector, struct interrupt_frame *frame)
{
  if (accepting) {
    accepted = vector;
    accepting = false;
    frame->rflags &= ~RFLAGS_IF; // one at a time: the next waits for the next exit
    return;
  }
  if (vector == EXCEPTION_GP && (frame->rip == (u64)read_msr_instruction ||
                                 frame->rip == (u64)write_msr_instruction)) {
    frame->rip = (u64)msr_access_fault;
    return;
  }
  panic("exception %lu in MinVisor itself at rip 0x%lx; its error code is 0x%lx", vector,
        frame->rip, frame->error_code);
}

static bool guest_takes_interrupts(void)
{
  return (vmcb.save.rflags & RFLAGS_IF) && !(vmcb.control.interrupt_shadow & INTERRUPT_SHADOW) &&
         !(vmcb.control.event_injection & EVENT_VALID);
}

// host_interrupt has left IF = 0; with GIF = 0 again, it may be 1 for the next VMRUN.
static void inject_accepted(void)
{
  sti();
  if (accepted != NONE)
    vmcb.control.event_injection = EVENT_VALID | EVENT_INTR | (u64)accepted;
  accepted = NONE;
}

// A physical interrupt is pending: passes it on, now or when the guest can take it.
void forward_interrupt(void)
{
  struct vmcb_control *control = &vmcb.control;

  if (!guest_takes_interrupts()) {
    control->intercepts_3 |= INTERCEPT_VINTR;
    control->virtual_interrupt |= V_IRQ | V_IGN_TPR;
    cli();
    return;
  }
  control->intercepts_3 &= ~INTERCEPT_VINTR;
  control->virtual_interrupt &= ~(V_IRQ | V_IGN_TPR);
  accepting = true;
  take_interrupt();
  accepting = false;
  inject_accepted();
}

// Sleeps in the guest's place until an interrupt comes, and passes it on. The guest's IF is 1.
void sleep_for_guest(void)
{
  accepting = true;
  while (accepting)
    wait_for_interrupt();
  inject_accepted();
}
