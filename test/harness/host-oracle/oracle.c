/*
 * Runs single instructions on the host CPU: reads binary cases on stdin, writes what each one did.
 *
 * Each case is entered and left through signal frames: the handler of a breakpoint replaces the
 * saved context by the case's registers (and by a 16- or 32-bit code segment for legacy cases),
 * sigreturn loads them, and the breakpoint after the instruction, or the fault in it, saves them again. So
 * every register, the stack pointer included, can hold any value.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define CODE_PAGE 0x10000000ul
#define DATA_PAGE 0x20000000ul
/* Offset of the instruction, and of the memory window, in their pages. */
#define PLACE 0x800
#define WINDOW 64

#define BREAKPOINT 0xcc
#define TRAP_BREAKPOINT 3

#define USER_CS_64 0x33
#define USER_CS_32 0x23
#define USER_SS 0x2b
/* Entries 0 and 1 of the local descriptor table: 16-bit code and data over the two pages. */
#define USER_CS_16 0x07
#define USER_SS_16 0x0f

#define NT_ID_AC (1ul << 14 | 1ul << 21 | 1ul << 18)

struct input {
  uint8_t bits; /* 64, 32 or 16 */
  uint8_t length;
  uint8_t code[14];
  uint64_t registers[16];
  uint64_t rflags;
  uint8_t memory[WINDOW];
};

struct output {
  uint64_t registers[16];
  uint64_t rflags;
  uint64_t rip;
  uint8_t memory[WINDOW];
  uint32_t vector; /* 3: completed */
  uint32_t error;
};

/* Encoding order of the general registers. */
static const int REGISTERS[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static struct input in;
static struct output out;
static gregset_t host;
static int running;

static void enter_case(greg_t *g) {
  memcpy(host, g, sizeof host);
  for (int i = 0; i < 16; i++) g[REGISTERS[i]] = in.registers[i];
  g[REG_EFL] = in.rflags | 0x202;
  g[REG_RIP] = in.bits == 16 ? PLACE : CODE_PAGE + PLACE;
  uint64_t segments = g[REG_CSGSFS] & 0x0000fffffffful << 16;
  uint64_t code = in.bits == 64 ? USER_CS_64 : in.bits == 32 ? USER_CS_32 : USER_CS_16;
  uint64_t stack = in.bits == 16 ? USER_SS_16 : USER_SS;
  g[REG_CSGSFS] = segments | stack << 48 | code;
}

static void leave_case(greg_t *g) {
  for (int i = 0; i < 16; i++) out.registers[i] = g[REGISTERS[i]];
  out.rflags = g[REG_EFL];
  out.vector = g[REG_TRAPNO];
  out.error = g[REG_ERR];
  out.rip = g[REG_RIP] - (out.vector == TRAP_BREAKPOINT);
  memcpy(g, host, sizeof host);
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  running = !running;
  if (running && g[REG_TRAPNO] != TRAP_BREAKPOINT) {
    static const char problem[] =
        "A fault outside any case: record on a host that runs 32-bit and 16-bit code.\n";
    _exit(write(STDERR_FILENO, problem, sizeof problem - 1) < 0 ? 2 : 1);
  }
  if (running)
    enter_case(g);
  else
    leave_case(g);
}

static void run_case(uint8_t *code, uint8_t *data) {
  memset(code, BREAKPOINT, PAGE);
  memcpy(code + PLACE, in.code, in.length);
  memset(data, 0, PAGE);
  memcpy(data + PLACE, in.memory, WINDOW);
  /* 64-bit code runs with null data segments, legacy code cannot. */
  int segment = in.bits == 16 ? USER_SS_16 : USER_SS;
  __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(segment));
  __asm__ volatile("int3" ::: "memory");
  /* sigreturn leaves NT and ID alone: put them back by hand. */
  __asm__ volatile("pushfq; andq %0, (%%rsp); popfq" ::"r"(~NT_ID_AC) : "memory", "cc");
  memcpy(out.memory, data + PLACE, WINDOW);
}

static void *map_page(uintptr_t address, int protection) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  return mmap((void *)address, PAGE, protection, flags, -1, 0);
}

/* A 16-bit segment of 64 KiB at `base`. */
static int add_segment(unsigned entry, unsigned base, int code) {
  struct user_desc segment = {
      .entry_number = entry, .base_addr = base, .limit = 0xffff, .contents = code ? 2 : 0};
  return syscall(SYS_modify_ldt, 1, &segment, sizeof segment);
}

int main(void) {
  static uint8_t stack[64 * 1024];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  sigaltstack(&alternate, NULL);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
    sigaction(signals[i], &action, NULL);
  uint8_t *code = map_page(CODE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  uint8_t *data = map_page(DATA_PAGE, PROT_READ | PROT_WRITE);
  if (code == MAP_FAILED || data == MAP_FAILED || add_segment(0, CODE_PAGE, 1) ||
      add_segment(1, DATA_PAGE, 0)) {
    perror("mmap or modify_ldt");
    return 1;
  }
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    run_case(code, data);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
