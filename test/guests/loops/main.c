// A guest for steps: each line of guest_main() is a loop of its own kind.

#include "cpu.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC_ICW1 0x11
#define PIC_CASCADE 4
#define PIC_8086 1
#define PIC_ONLY_TIMER 0xfe
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_0 0x40
#define PIT_PERIODIC 0x34
#define PIT_COUNT 0x100 // a tick each 215 microseconds
#define PM1A_CONTROL 0x604 // of the PC that QEMU and our machine are
#define PM1_POWER_OFF 0x2000

#define VECTOR_UD 6
#define VECTOR_TIMER 0x20
#define GATE_INTERRUPT_64 0x8e00
#define CODE_64 0x18

struct gate {
  u16 offset_low, selector, attributes, offset_middle;
  u32 offset_high, reserved;
};

struct __attribute__((packed)) table_pointer {
  u16 limit;
  u64 base;
};

// handlers.S
extern volatile u32 ticks, skipped;
void tick_entry(void);
void undefined_entry(void);

void guest_main(void);

volatile u32 ticks, skipped;
// Of the first two loops; a debugger may write other numbers.
volatile u32 rounds = 20000;
volatile u32 calls = 2000;
static struct gate idt[VECTOR_TIMER + 1];

static void set_gate(u32 vector, void (*entry)(void))
{
  u64 offset = (u64)entry;

  idt[vector] = (struct gate){ offset, CODE_64, GATE_INTERRUPT_64, offset >> 16, offset >> 32, 0 };
}

static void start_ticks(void)
{
  struct table_pointer pointer = { sizeof idt - 1, (u64)idt };

  set_gate(VECTOR_UD, undefined_entry);
  set_gate(VECTOR_TIMER, tick_entry);
  asm volatile("lidt %0" : : "m"(pointer));
  out8(PIC1_COMMAND, PIC_ICW1);
  out8(PIC1_DATA, VECTOR_TIMER);
  out8(PIC1_DATA, PIC_CASCADE);
  out8(PIC1_DATA, PIC_8086);
  out8(PIC1_DATA, PIC_ONLY_TIMER);
  out8(PIT_COMMAND, PIT_PERIODIC);
  out8(PIT_CHANNEL_0, PIT_COUNT & 0xff);
  out8(PIT_CHANNEL_0, PIT_COUNT >> 8);
  asm volatile("sti");
}

static __attribute__((noinline)) u32 mix(u32 a, u32 b)
{
  return a * 31 + (b ^ (a >> 7));
}

static inline void add_bits(u32 *sum, u32 value)
{
  for (; value; value &= value - 1)
    ++*sum;
}

static __attribute__((noinline)) u32 tree(u32 depth)
{
  u32 nodes = 1;

  for (u32 i = 0; depth > 0 && i < 3; i++) nodes += tree(depth - 1);
  return nodes;
}

static __attribute__((noinline)) u32 deep(u32 depth)
{
  if (depth == 0)
    return ticks;
  return deep(depth - 1) + 1;
}

static __attribute__((noinline)) u32 chosen(u32 i, u32 sum)
{
  for (;;) switch (i & 7) { case 0: sum += 3; i++; break; case 1: sum ^= i; i += 2; break; case 2: sum *= 5; i++; break; case 3: sum -= 9; i++; break; case 4: sum += sum >> 2; i += 3; break; case 5: sum |= 1; i++; break; case 6: i += 5; sum++; break; case 7: if (i > 4000) return sum; i++; break; }
}

void guest_main(void)
{
  u32 sum = 0;
  u32 left = 1000;

  start_ticks();
  for (u32 i = 0; i < rounds; i++) sum += i ^ (sum >> 3);
  for (u32 i = 0; i < calls; i++) sum = mix(sum, i);
  for (u32 i = 0; i < 500; i++) add_bits(&sum, sum + i);
  sum += tree(5);
  sum += chosen(0, sum);
  for (u32 i = 0; i < 50; i++) { sum += i; asm volatile("ud2"); sum ^= i; }
  // The jump back becomes two NOPs when the count has run out.
  asm volatile("1: dec %0; jnz 2f; movw $0x9090, 2f(%%rip); 2: jmp 1b" : "+r"(left) : : "memory", "cc");
  for (u32 i = 0; i < 300; i++) asm volatile("push %%rax; call 1f; 1: pop %%rax; pop %%rax" : : : "rax", "memory");
  for (u32 i = 0; i < 20; i++) in8(0x3fd);
  for (u32 i = 0; i < 300; i++) asm volatile("hlt");
  sum += deep(500);
  sum += skipped + ticks;
  out16(PM1A_CONTROL, PM1_POWER_OFF);
  ticks = sum;
  halt_forever();
}
