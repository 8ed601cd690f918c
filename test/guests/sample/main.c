// The sample guest in long mode: makes each common exit once and says on COM1 what it saw.

#include "cpu.h"
#include "layout.h"

#define COM1 0x3f8
#define LINE_STATUS 5
#define LINE_STATUS_ROOM 0x20
#define LINE_STATUS_DRAINED 0x40

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1
#define PIC_ICW1 0x11
#define PIC_CASCADE 4
#define PIC_8086 1
#define PIC_ONLY_TIMER 0xfe
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_0 0x40
#define PIT_ONE_SHOT 0x30
#define PIT_COUNT 0x1000
#define PM1A_CONTROL 0x604 // of the PC that QEMU and our machine are
#define PM1_POWER_OFF 0x2000

#define VECTOR_TIMER 0x20
#define GATE_INTERRUPT_64 0x8e00
#define CODE_64 0x18

#define LEAF_EXTENDED_FEATURES 0x80000001
#define FEATURE_ECX_SVM (1u << 2)
#define MINVISOR_SIGNATURE 0x566e694d
#define FS_BASE_VALUE 0x123456789a0ul

struct gate {
  u16 offset_low, selector, attributes, offset_middle;
  u32 offset_high, reserved;
};

struct __attribute__((packed)) table_pointer {
  u16 limit;
  u64 base;
};

// faults.S
extern volatile u32 timer_ticks;
void unexpected_entry(void);
void general_protection_entry(void);
void timer_entry(void);
bool try_read(u64 address);
bool try_write(u64 address);
bool try_fetch(u64 address);
bool try_read_msr(u64 msr);
bool try_ins(u64 address);

void unexpected_interrupt(void) __attribute__((noreturn));
void guest_main(void);

static struct gate idt[VECTOR_TIMER + 1];

static void print(const char *text)
{
  for (; *text; text++) {
    while (!(in8(COM1 + LINE_STATUS) & LINE_STATUS_ROOM))
      ;
    out8(COM1, *text);
  }
}

static void report(const char *what, bool is_right)
{
  print(what);
  print(is_right ? ": ok\n" : ": WRONG\n");
}

void unexpected_interrupt(void)
{
  print("sample: an interrupt that nothing expects\n");
  halt_forever();
}

// Waits until the last character has left, then ends the machine.
static void power_off(void)
{
  while (!(in8(COM1 + LINE_STATUS) & LINE_STATUS_DRAINED))
    ;
  out16(PM1A_CONTROL, PM1_POWER_OFF);
  halt_forever();
}

static void set_gate(u32 vector, void (*entry)(void))
{
  u64 offset = (u64)entry;

  idt[vector] = (struct gate){ offset, CODE_64, GATE_INTERRUPT_64, offset >> 16, offset >> 32, 0 };
}

static void load_idt(void)
{
  struct table_pointer pointer = { sizeof idt - 1, (u64)idt };

  for (u32 vector = 0; vector < COUNT_OF(idt); vector++)
    set_gate(vector, unexpected_entry);
  set_gate(EXCEPTION_GP, general_protection_entry);
  set_gate(VECTOR_TIMER, timer_entry);
  asm volatile("lidt %0" : : "m"(pointer));
}

static u32 vmmcall(u32 call)
{
  u32 result;

  asm volatile("vmmcall" : "=a"(result) : "a"(call));
  return result;
}

static void touch_msrs(void)
{
  wrmsr(MSR_FS_BASE, FS_BASE_VALUE);
  report("msr: FS base is the guest's own", rdmsr(MSR_FS_BASE) == FS_BASE_VALUE);
  report("msr: SVME reads 0", !(rdmsr(MSR_EFER) & EFER_SVME));
  report("msr: VM_HSAVE_PA is refused", !try_read_msr(MSR_VM_HSAVE_PA));
}

static u32 in_string(u16 port)
{
  u32 value = 0;
  u32 *target = &value;
  u64 count = sizeof value;

  asm volatile("rep insb" : "+D"(target), "+c"(count) : "d"(port) : "memory");
  return value;
}

static void touch_ports(void)
{
  report("ioio: COM2 reads all ones", in8(PORT_COM2) == 0xff);
  report("ioio: INS from COM2 too", in_string(PORT_COM2) == 0xffffffff);
  report("ioio: INS into MinVisor is refused", !try_ins(MINVISOR_START));
}

// One timer interrupt wakes the guest from HLT.
static void sleep_once(void)
{
  out8(PIC1_COMMAND, PIC_ICW1);
  out8(PIC1_DATA, VECTOR_TIMER);
  out8(PIC1_DATA, PIC_CASCADE);
  out8(PIC1_DATA, PIC_8086);
  out8(PIC1_DATA, PIC_ONLY_TIMER);
  out8(PIC2_DATA, 0xff);
  out8(PIT_COMMAND, PIT_ONE_SHOT);
  out8(PIT_CHANNEL_0, PIT_COUNT & 0xff);
  out8(PIT_CHANNEL_0, PIT_COUNT >> 8);
  asm volatile("sti; hlt; cli" : : : "memory");
  report("hlt: the timer woke the guest", timer_ticks == 1);
}

void guest_main(void)
{
  print("sample: long mode\n");
  load_idt();
  report("cpuid: SVM is hidden", !(cpuid(LEAF_EXTENDED_FEATURES, 0).ecx & FEATURE_ECX_SVM));
  touch_msrs();
  touch_ports();
  report("vmmcall: MinVisor answers", vmmcall(0) == MINVISOR_SIGNATURE);
  report("npf: a read of MinVisor is refused", !try_read(MINVISOR_START));
  report("npf: a write to its control pages is refused", !try_write(CONTROL_START));
  report("npf: a fetch of its last byte is refused", !try_fetch(MINVISOR_END - 1));
  sleep_once();
  print("GUEST-DONE\n");
  power_off();
}
