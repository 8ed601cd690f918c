/* The trampoline, the trap handler and small helpers that both recorders share. */
#define _GNU_SOURCE
#include "run-native.h"

#include <ctype.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static uint8_t *page;
static sigjmp_buf trapped;
static volatile uint32_t trap_signal, trap_mxcsr;

static void on_trap(int number, siginfo_t *info, void *context) {
	(void)info;
	trap_signal = (uint32_t)number;
	trap_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
	siglongjmp(trapped, 1);
}

static void prepare(void) {
	page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigaction(SIGFPE, &action, 0);
	sigaction(SIGSEGV, &action, 0);
	sigaction(SIGILL, &action, 0);
}

void run_native(struct native_state *state, const uint8_t *code, unsigned length) {
	/* Called with RDI = memory, RSI = image, RDX = &rax (rflags follows). RBX is scratch. */
	static const uint8_t before[] = {
	    0x53,                         /* push rbx */
	    0x48, 0x0f, 0xae, 0x0e,       /* fxrstor64 [rsi] */
	    0xff, 0x72, 0x08, 0x9d,       /* push qword [rdx+8]; popfq */
	    0x48, 0x8b, 0x02,             /* mov rax, [rdx] */
	};
	static const uint8_t after[] = {
	    0x48, 0x0f, 0xae, 0x06,       /* fxsave64 [rsi] */
	    0x48, 0x89, 0x02,             /* mov [rdx], rax */
	    0x9c, 0x8f, 0x42, 0x08,       /* pushfq; pop qword [rdx+8] */
	    0x0f, 0xae, 0x15, 0, 0, 0, 0, /* ldmxcsr [rip+n] */
	    0xdb, 0xe3,                   /* fninit */
	    0x5b, 0xc3,                   /* pop rbx; ret */
	    0x80, 0x1f, 0, 0,             /* the default MXCSR */
	};
	if (!page) prepare();
	uint8_t *at = page;
	memcpy(at, before, sizeof before);
	at += sizeof before;
	memcpy(at, code, length);
	at += length;
	memcpy(at, after, sizeof after);
	at[14] = 4; /* from the end of LDMXCSR over FNINIT, POP and RET */
	state->trap = 0;
	trap_signal = 0;
	if (sigsetjmp(trapped, 1) == 0) {
		void (*run)(void *, void *, void *);
		memcpy(&run, &page, sizeof run);
		run(state->memory, state->image, &state->rax);
		return;
	}
	uint32_t plain = 0x1f80;
	__asm__ volatile("ldmxcsr %0; fninit" : : "m"(plain));
	state->trap = trap_signal;
	memcpy(state->image + 24, (const void *)&trap_mxcsr, 4);
}

unsigned parse_hex(const char *text, uint8_t *bytes) {
	unsigned digits = 0;
	for (; *text; text++) {
		if (!isxdigit((unsigned char)*text)) continue;
		unsigned value = isdigit((unsigned char)*text) ? *text - '0' : (*text | 32) - 'a' + 10;
		bytes[digits / 2] = digits % 2 ? bytes[digits / 2] << 4 | value : value;
		digits++;
	}
	return digits / 2;
}

uint64_t random64(void) {
	static uint64_t state = 0x9e3779b97f4a7c15;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1d;
}

void write_header(const char *family, unsigned record_bytes) {
	char line[256], vendor[64] = "", model[128] = "", number[64] = "";
	FILE *info = fopen("/proc/cpuinfo", "r");
	while (info && fgets(line, sizeof line, info)) {
		sscanf(line, "vendor_id : %63[^\n]", vendor);
		sscanf(line, "cpu family : %63[^\n]", number);
		sscanf(line, "model name : %127[^\n]", model);
	}
	if (info) fclose(info);
	printf("{\"family\":\"%s\",\"cpu\":\"%s %s family %s\",\"recordBytes\":%u}\n", family, vendor,
	       model, number, record_bytes);
}
