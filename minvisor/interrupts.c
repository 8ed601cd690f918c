// The host's IDT, and physical interrupts on their way to the guest.
//
// With intercept=intr every physical interrupt exits, even while the guest masks its own
// (V_INTR_MASKING, APM volume 2, section 15.21.1), so MinVisor can always take the machine back.
// GIF is then set for a moment: the interrupt controller is acknowledged by the interrupt itself,
// and the vector that arrives waits here until the guest can take it. Since only an interrupt of
// higher priority can follow one that is not at its end yet, the last to come is the first to go.
// A vector is injected by EVENTINJ where the guest has IF set and no shadow; otherwise a virtual
// interrupt with VINTR intercepted tells when that is so.

#include "minvisor.h"

#define VECTORS 256
#define STUB_SIZE 16
#define GATE_INTERRUPT_64 0x8e00
#define WAITING_MAX 32

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
static u8 waiting[WAITING_MAX];
static u32 waiting_count;
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

// Called by the stubs with the vector and what the CPU pushed: an error code for some exceptions,
// then RIP. Answers how many bytes of error code the stub has to drop.
u64 host_interrupt(u64 vector, u64 *frame)
{
  if (accepting) {
    if (waiting_count == WAITING_MAX)
      panic("%u interrupts wait for a guest that takes none; interrupt controller out of order",
            waiting_count);
    waiting[waiting_count++] = vector;
    return 0;
  }
  if (vector == EXCEPTION_GP &&
      (frame[1] == (u64)read_msr_instruction || frame[1] == (u64)write_msr_instruction)) {
    frame[1] = (u64)msr_access_fault;
    return sizeof frame[0];
  }
  panic("exception %lu in MinVisor itself; the CPU pushed 0x%lx 0x%lx", vector, frame[0], frame[1]);
}

// Moves the pending physical interrupt to those that wait for the guest.
void forward_interrupt(void)
{
  accepting = true;
  take_interrupt();
  accepting = false;
}

// The same for a guest that sleeps: returns when an interrupt waits.
void forward_interrupt_after_sleep(void)
{
  accepting = true;
  while (waiting_count == 0)
    wait_for_interrupt();
  accepting = false;
}

static bool guest_takes_interrupts(void)
{
  return (vmcb.save.rflags & RFLAGS_IF) && !(vmcb.control.interrupt_shadow & INTERRUPT_SHADOW) &&
         !(vmcb.control.event_injection & EVENT_VALID);
}

// Right before VMRUN: injects the interrupt that is next, or asks for an exit when it can be.
void offer_interrupts(void)
{
  struct vmcb_control *control = &vmcb.control;

  control->intercepts_3 &= ~INTERCEPT_VINTR;
  control->virtual_interrupt &= ~(V_IRQ | V_IGN_TPR);
  if (waiting_count > 0 && guest_takes_interrupts())
    control->event_injection = EVENT_VALID | EVENT_INTR | waiting[--waiting_count];
  if (waiting_count > 0) {
    control->intercepts_3 |= INTERCEPT_VINTR;
    control->virtual_interrupt |= V_IRQ | V_IGN_TPR;
  }
}
