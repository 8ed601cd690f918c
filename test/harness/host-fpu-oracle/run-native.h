/* Runs one instruction natively from a given FXSAVE image, RAX, flags and 16 bytes of memory. */
#ifndef RUN_NATIVE_H
#define RUN_NATIVE_H

#include <stdint.h>

struct native_state {
	uint8_t image[512] __attribute__((aligned(64))); /* FXSAVE64 layout */
	uint8_t memory[128] __attribute__((aligned(64))); /* RDI points here */
	uint64_t rax;
	uint64_t rflags;
	uint32_t trap; /* 0, or the signal that ended the instruction */
};

/* Executes `length` bytes of code on the state; on a trap the state holds MXCSR's new flags. */
void run_native(struct native_state *state, const uint8_t *code, unsigned length);

/* "66 0F 58 C1" or "660f58c1" to bytes; returns the length. */
unsigned parse_hex(const char *text, uint8_t *bytes);

/* Deterministic random numbers. */
uint64_t random64(void);

/* Writes the JSON header line: CPU model, record size. */
void write_header(const char *family, unsigned record_bytes);

#endif
