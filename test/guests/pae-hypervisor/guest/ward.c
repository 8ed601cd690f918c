// The guest: asks its hypervisor for each kind of exit and checks the answers.

#include "../layout.h"

typedef unsigned char u8;
typedef unsigned int u32;

#define MSR_SYSENTER_CS 0x174
#define SCRATCH_VALUE 0x5a
#define COM1 0x3f8

struct check {
  const char *what;
  u32 expected, actual;
};

static struct check last_check;
static const char own_name[] = "little ward";

void ward_main(void);

static void say(const char *text)
{
  for (; *text; text++)
    asm volatile("outb %b0, %w1" : : "a"(*text), "d"(COM1));
}

__attribute__((noinline)) static void check(const char *what, u32 expected, u32 actual)
{
  last_check = (struct check){ what, expected, actual };
  say("ward: ");
  say(what);
  say(expected == actual ? ": ok\n" : ": WRONG\n");
}

static inline u32 hypercall(u32 number, u32 ebx, u32 ecx)
{
  u32 answer;

  asm volatile("vmmcall" : "=a"(answer) : "a"(number), "b"(ebx), "c"(ecx) : "memory");
  return answer;
}

// The hypervisor skips instructions that it refuses: these have two bytes.
static inline void store(u32 address, u32 value)
{
  asm volatile("mov %%eax, (%%ebx)" : : "a"(value), "b"(address) : "memory");
}

static inline u32 load(u32 address)
{
  u32 value = 0;

  asm volatile("mov (%%ebx), %%eax" : "+a"(value) : "b"(address) : "memory");
  return value;
}

static void ask_cpu(void)
{
  u32 eax = 0, ebx, ecx, edx;

  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
  check("vendor", 0x64726157, ebx);
  asm volatile("wrmsr" : : "a"(0x10), "d"(0), "c"(MSR_SYSENTER_CS));
  asm volatile("rdmsr" : "=a"(eax), "=d"(edx) : "c"(MSR_SYSENTER_CS));
  check("msr", 0x10, eax);
}

static void ask_ports(void)
{
  u8 back;
  u32 first, second;

  asm volatile("outb %b0, %1" : : "a"(SCRATCH_VALUE), "N"(PORT_SCRATCH));
  asm volatile("inb %1, %0" : "=a"(back) : "N"(PORT_SCRATCH));
  check("scratch", SCRATCH_VALUE, back);
  asm volatile("inl %w1, %0" : "=a"(first) : "d"(PORT_CLOCK));
  asm volatile("inl %w1, %0" : "=a"(second) : "d"(PORT_CLOCK));
  check("clock", first + 7, second);
}

static void touch_memory(void)
{
  store(WARD_HIGH_HALF + WARD_LATE_GPA, 0x12345678);
  check("late page", 0x12345678, load(WARD_LATE_GPA));
  store(WARD_CONST_GPA, 1);
  check("constant page", 0, load(WARD_CONST_GPA));
  check("hole", 0, load(WARD_HOLE_GPA + 0x10));
}

void ward_main(void)
{
  hypercall(CALL_NAME, (u32)own_name - WARD_HIGH_HALF, 0);
  ask_cpu();
  ask_ports();
  check("sum", 42, hypercall(CALL_SUM, 40, 2));
  touch_memory();
  asm volatile("hlt");
  say("GUEST-DONE\n");
  hypercall(CALL_END, 0, 0);
}
