/*
 * Records SSE vectors: for each instruction below, random and edge inputs and what the CPU did.
 * Usage: record-sse FAMILY COUNT, FAMILY one of integer, float, convert, mmx. Layout on stdout: a JSON
 * line, then records: length u8, code 15 bytes, in: xmm0 16, xmm1 and memory 16, rax 8, mxcsr 4;
 * out: xmm0 16, memory 16, rax 8, mxcsr 4, flags u8 (SF ZF AF PF CF), trap u8 (1 = #XF, 2 = #GP).
 */
#include "run-native.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { BYTES, SINGLES, DOUBLES, SMALL_COUNT };

struct instruction {
	enum kind kind;
	const char *code; /* "ii" at the end is a random immediate */
};

/* Destination xmm0 (or EAX), source xmm1 (or RAX or [RDI]). */
static const struct instruction INTEGER[] = {
    {BYTES, "0f10c1"}, {BYTES, "0f1007"}, {BYTES, "0f1107"}, {BYTES, "0f11c1"},
    {BYTES, "660f1007"}, {BYTES, "660f1107"}, {BYTES, "0f2807"}, {BYTES, "0f2907"},
    {BYTES, "660f2807"}, {BYTES, "660f2907"}, {BYTES, "660f6f07"}, {BYTES, "660f7f07"},
    {BYTES, "f30f6f07"}, {BYTES, "f30f7f07"}, {BYTES, "f30f6f4701"}, {BYTES, "0f104703"},
    {BYTES, "660f6f4701"}, {BYTES, "0f284708"}, {BYTES, "660ffc4704"}, {BYTES, "0f294708"},
    {BYTES, "f20ff007"}, {BYTES, "0f2b07"}, {BYTES, "660f2b07"}, {BYTES, "660fe707"},
    {BYTES, "f30f1007"}, {BYTES, "f30f10c1"}, {BYTES, "f30f1107"}, {BYTES, "f30f11c1"},
    {BYTES, "f20f1007"}, {BYTES, "f20f10c1"}, {BYTES, "f20f1107"}, {BYTES, "f20f11c1"},
    {BYTES, "0f1207"}, {BYTES, "0f12c1"}, {BYTES, "0f1307"}, {BYTES, "660f1207"},
    {BYTES, "660f1307"}, {BYTES, "0f1607"}, {BYTES, "0f16c1"}, {BYTES, "0f1707"},
    {BYTES, "660f1607"}, {BYTES, "660f1707"}, {BYTES, "f30f12c1"}, {BYTES, "f30f16c1"},
    {BYTES, "f20f12c1"}, {BYTES, "f20f1207"}, {BYTES, "660f6ec0"}, {BYTES, "66480f6ec0"},
    {BYTES, "660f6e07"}, {BYTES, "660f7ec0"}, {BYTES, "66480f7ec0"}, {BYTES, "660f7e07"},
    {BYTES, "f30f7ec1"}, {BYTES, "f30f7e07"}, {BYTES, "660fd6c1"}, {BYTES, "660fd607"},
    {BYTES, "0f50c1"}, {BYTES, "660f50c1"},
    {BYTES, "660fd7c1"}, {BYTES, "660ffcc1"}, {BYTES, "660ffdc1"}, {BYTES, "660ffec1"},
    {BYTES, "660fd4c1"}, {BYTES, "660ff8c1"}, {BYTES, "660ff9c1"}, {BYTES, "660ffac1"},
    {BYTES, "660ffbc1"}, {BYTES, "660fecc1"}, {BYTES, "660fedc1"}, {BYTES, "660fdcc1"},
    {BYTES, "660fddc1"}, {BYTES, "660fe8c1"}, {BYTES, "660fe9c1"}, {BYTES, "660fd8c1"},
    {BYTES, "660fd9c1"}, {BYTES, "660fe0c1"}, {BYTES, "660fe3c1"}, {BYTES, "660fdac1"},
    {BYTES, "660fdec1"}, {BYTES, "660feac1"}, {BYTES, "660feec1"}, {BYTES, "660f74c1"},
    {BYTES, "660f75c1"}, {BYTES, "660f76c1"}, {BYTES, "660f64c1"}, {BYTES, "660f65c1"},
    {BYTES, "660f66c1"}, {BYTES, "660fd5c1"}, {BYTES, "660fe5c1"}, {BYTES, "660fe4c1"},
    {BYTES, "660ff4c1"}, {BYTES, "660ff5c1"}, {BYTES, "660ff6c1"}, {BYTES, "660fdbc1"},
    {BYTES, "660fdfc1"}, {BYTES, "660febc1"}, {BYTES, "660fefc1"}, {BYTES, "0f54c1"},
    {BYTES, "0f55c1"}, {BYTES, "0f56c1"}, {BYTES, "0f57c1"}, {BYTES, "660f54c1"},
    {BYTES, "660f55c1"}, {BYTES, "660f56c1"}, {BYTES, "660f57c1"}, {BYTES, "660f63c1"},
    {BYTES, "660f67c1"}, {BYTES, "660f6bc1"}, {BYTES, "660f60c1"}, {BYTES, "660f61c1"},
    {BYTES, "660f62c1"}, {BYTES, "660f6cc1"}, {BYTES, "660f68c1"}, {BYTES, "660f69c1"},
    {BYTES, "660f6ac1"}, {BYTES, "660f6dc1"}, {BYTES, "0f14c1"}, {BYTES, "0f15c1"},
    {BYTES, "660f14c1"}, {BYTES, "660f15c1"}, {BYTES, "660f70c1ii"}, {BYTES, "f20f70c1ii"},
    {BYTES, "f30f70c1ii"}, {BYTES, "0fc6c1ii"}, {BYTES, "660fc6c1ii"}, {BYTES, "660fc4c0ii"},
    {BYTES, "660fc407ii"}, {BYTES, "660fc5c1ii"}, {SMALL_COUNT, "660fd1c1"},
    {SMALL_COUNT, "660fd2c1"}, {SMALL_COUNT, "660fd3c1"}, {SMALL_COUNT, "660fe1c1"},
    {SMALL_COUNT, "660fe2c1"}, {SMALL_COUNT, "660ff1c1"}, {SMALL_COUNT, "660ff2c1"},
    {SMALL_COUNT, "660ff307"}, {SMALL_COUNT, "660f71d0ii"}, {SMALL_COUNT, "660f71e0ii"},
    {SMALL_COUNT, "660f71f0ii"}, {SMALL_COUNT, "660f72d0ii"}, {SMALL_COUNT, "660f72e0ii"},
    {SMALL_COUNT, "660f72f0ii"}, {SMALL_COUNT, "660f73d0ii"}, {SMALL_COUNT, "660f73f0ii"},
    {SMALL_COUNT, "660f73d8ii"}, {SMALL_COUNT, "660f73f8ii"}, {BYTES, "660ff7c1"},
};

static const struct instruction FLOAT[] = {
    {SINGLES, "0f58c1"}, {DOUBLES, "660f58c1"}, {SINGLES, "f30f58c1"}, {DOUBLES, "f20f58c1"},
    {SINGLES, "0f59c1"}, {DOUBLES, "660f59c1"}, {SINGLES, "f30f59c1"}, {DOUBLES, "f20f59c1"},
    {SINGLES, "0f5cc1"}, {DOUBLES, "660f5cc1"}, {SINGLES, "f30f5cc1"}, {DOUBLES, "f20f5cc1"},
    {SINGLES, "0f5dc1"}, {DOUBLES, "660f5dc1"}, {SINGLES, "f30f5dc1"}, {DOUBLES, "f20f5dc1"},
    {SINGLES, "0f5ec1"}, {DOUBLES, "660f5ec1"}, {SINGLES, "f30f5ec1"}, {DOUBLES, "f20f5ec1"},
    {SINGLES, "0f5fc1"}, {DOUBLES, "660f5fc1"}, {SINGLES, "f30f5fc1"}, {DOUBLES, "f20f5fc1"},
    {SINGLES, "0f51c1"}, {DOUBLES, "660f51c1"}, {SINGLES, "f30f51c1"}, {DOUBLES, "f20f51c1"},
    {SINGLES, "0fc2c1ii"}, {DOUBLES, "660fc2c1ii"}, {SINGLES, "f30fc2c1ii"},
    {DOUBLES, "f20fc2c1ii"}, {SINGLES, "0f2ec1"}, {DOUBLES, "660f2ec1"}, {SINGLES, "0f2fc1"},
    {DOUBLES, "660f2fc1"}, {DOUBLES, "660fd0c1"}, {SINGLES, "f20fd0c1"}, {DOUBLES, "660f7cc1"},
    {SINGLES, "f20f7cc1"}, {DOUBLES, "660f7dc1"}, {SINGLES, "f20f7dc1"}, {SINGLES, "f30f5807"},
    {DOUBLES, "f20f5907"}, {DOUBLES, "660f5c07"}, {SINGLES, "0f5e07"},
};

static const struct instruction CONVERT[] = {
    {BYTES, "f30f2ac0"}, {BYTES, "f3480f2ac0"}, {BYTES, "f20f2ac0"}, {BYTES, "f2480f2ac0"},
    {BYTES, "f20f2a07"}, {SINGLES, "f30f2cc1"}, {SINGLES, "f3480f2cc1"}, {DOUBLES, "f20f2cc1"},
    {DOUBLES, "f2480f2cc1"}, {SINGLES, "f30f2dc1"}, {SINGLES, "f3480f2dc1"},
    {DOUBLES, "f20f2dc1"}, {DOUBLES, "f2480f2dc1"}, {SINGLES, "f30f5ac1"},
    {DOUBLES, "f20f5ac1"}, {SINGLES, "0f5ac1"}, {SINGLES, "0f5a07"}, {DOUBLES, "660f5ac1"},
    {BYTES, "0f5bc1"}, {SINGLES, "660f5bc1"}, {SINGLES, "f30f5bc1"}, {BYTES, "f30fe6c1"},
    {BYTES, "f30fe607"}, {DOUBLES, "f20fe6c1"}, {DOUBLES, "660fe6c1"},
};

/* The same slots with MM0 and MM1, which get the low halves of XMM0 and XMM1. */
static const struct instruction MMX[] = {
    {BYTES, "0f6ec0"}, {BYTES, "480f6ec0"}, {BYTES, "0f7ec0"}, {BYTES, "480f7ec0"},
    {BYTES, "0f6fc1"}, {BYTES, "0f7fc1"}, {BYTES, "0f6f07"}, {BYTES, "0f7f07"},
    {BYTES, "0fe707"}, {BYTES, "f20fd6c1"}, {BYTES, "f30fd6c1"}, {BYTES, "0ffcc1"},
    {BYTES, "0ffdc1"}, {BYTES, "0ffec1"}, {BYTES, "0fd4c1"}, {BYTES, "0ff8c1"},
    {BYTES, "0ff9c1"}, {BYTES, "0ffac1"}, {BYTES, "0ffbc1"}, {BYTES, "0fecc1"},
    {BYTES, "0fedc1"}, {BYTES, "0fdcc1"}, {BYTES, "0fddc1"}, {BYTES, "0fe8c1"},
    {BYTES, "0fe9c1"}, {BYTES, "0fd8c1"}, {BYTES, "0fd9c1"}, {BYTES, "0fe0c1"},
    {BYTES, "0fe3c1"}, {BYTES, "0fdac1"}, {BYTES, "0fdec1"}, {BYTES, "0feac1"},
    {BYTES, "0feec1"}, {BYTES, "0f74c1"}, {BYTES, "0f75c1"}, {BYTES, "0f76c1"},
    {BYTES, "0f64c1"}, {BYTES, "0f65c1"}, {BYTES, "0f66c1"}, {BYTES, "0fd5c1"},
    {BYTES, "0ff5c1"}, {BYTES, "0fe5c1"}, {BYTES, "0fe4c1"}, {BYTES, "0ff4c1"},
    {BYTES, "0ff6c1"}, {BYTES, "0fdbc1"}, {BYTES, "0fdfc1"}, {BYTES, "0febc1"},
    {BYTES, "0fefc1"}, {BYTES, "0f63c1"}, {BYTES, "0f67c1"}, {BYTES, "0f6bc1"},
    {BYTES, "0f60c1"}, {BYTES, "0f6107"}, {BYTES, "0f62c1"}, {BYTES, "0f68c1"},
    {BYTES, "0f69c1"}, {BYTES, "0f6ac1"}, {SMALL_COUNT, "0fd1c1"}, {SMALL_COUNT, "0fd2c1"},
    {SMALL_COUNT, "0fd3c1"}, {SMALL_COUNT, "0fe1c1"}, {SMALL_COUNT, "0fe2c1"},
    {SMALL_COUNT, "0ff1c1"}, {SMALL_COUNT, "0ff2c1"}, {SMALL_COUNT, "0ff307"},
    {SMALL_COUNT, "0f71d0ii"}, {SMALL_COUNT, "0f71e0ii"}, {SMALL_COUNT, "0f71f0ii"},
    {SMALL_COUNT, "0f72d0ii"}, {SMALL_COUNT, "0f72e0ii"}, {SMALL_COUNT, "0f72f0ii"},
    {SMALL_COUNT, "0f73d0ii"}, {SMALL_COUNT, "0f73f0ii"}, {BYTES, "0f70c1ii"},
    {BYTES, "0fc4c0ii"}, {BYTES, "0fc5c1ii"}, {BYTES, "0fd7c1"}, {BYTES, "0ff7c1"},
    {BYTES, "0f2ac1"}, {BYTES, "660f2ac1"}, {BYTES, "660f2a07"}, {SINGLES, "0f2cc1"},
    {SINGLES, "0f2dc1"}, {DOUBLES, "660f2cc1"}, {DOUBLES, "660f2dc1"}, {BYTES, "0f77"},
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A float of the given shape: edges, small integers and neighbours of powers of two. */
static uint64_t float_lane(unsigned fraction_bits, unsigned exponent_bits) {
	uint64_t fraction_mask = (1ull << fraction_bits) - 1;
	uint64_t exponent_mask = (1ull << exponent_bits) - 1;
	uint64_t bias = exponent_mask >> 1, sign = random64() & 1, fraction, exponent;
	switch (random64() % 4) {
	case 0: fraction = 0; break;
	case 1: fraction = (random64() & 1) ? fraction_mask : random64() & 3; break;
	case 2: fraction = (random64() & 7) << (fraction_bits - 3); break;
	default: fraction = random64() & fraction_mask; break;
	}
	switch (random64() % 16) {
	case 0: exponent = 0; break;
	case 1: exponent = random64() & 1; break;
	case 2: exponent = exponent_mask; break;
	case 3: exponent = exponent_mask - 1; break;
	case 4: exponent = exponent_mask - (random64() % 4); break;
	case 5: case 6: exponent = random64() & exponent_mask; break;
	case 7: exponent = bias / 2 + random64() % 8; break;
	case 8: exponent = bias + bias / 2 + random64() % 8; break;
	case 9: exponent = bias + random64() % 70; break;
	default: exponent = bias - 4 + random64() % 8; break;
	}
	return sign << (fraction_bits + exponent_bits) | exponent << fraction_bits | fraction;
}

static void fill(uint8_t *at, enum kind kind) {
	uint64_t halves[2];
	for (int i = 0; i < 2; i++) {
		if (kind == DOUBLES) {
			halves[i] = float_lane(52, 11);
		} else if (kind == SINGLES) {
			halves[i] = float_lane(23, 8) | float_lane(23, 8) << 32;
		} else {
			halves[i] = random64();
			for (int byte = 0; byte < 8; byte++) {
				uint64_t pick = random64() % 12, mask = 0xffull << 8 * byte;
				if (pick == 0) halves[i] &= ~mask;
				if (pick == 1) halves[i] |= mask;
				if (pick == 2) halves[i] = (halves[i] & ~mask) | 0x80ull << 8 * byte;
				if (pick == 3) halves[i] = (halves[i] & ~mask) | 0x7full << 8 * byte;
			}
			if (random64() % 6 == 0) halves[i] >>= random64() % 64;
		}
	}
	memcpy(at, halves, 16);
}

static uint32_t pick_mxcsr(void) {
	uint32_t mxcsr = 0x1f80 | (uint32_t)(random64() & 3) << 13;
	if (random64() % 4 == 0) mxcsr |= 0x40;
	if (random64() % 4 == 0) mxcsr |= 0x8000;
	if (random64() % 4 == 0) mxcsr ^= random64() & 0x1f80;
	if (random64() % 8 == 0) mxcsr |= random64() & 0x3f;
	return mxcsr;
}

static void record(const struct instruction *instruction, const char *family) {
	static struct native_state state;
	uint8_t code[16] = {0}, length;
	char text[40];
	strcpy(text, instruction->code);
	char *immediate = strstr(text, "ii");
	if (immediate) {
		unsigned value = random64() & 0xff;
		if (instruction->kind == SMALL_COUNT && random64() % 4) value %= 70;
		sprintf(immediate, "%02x", value);
	}
	length = parse_hex(text, code);
	memset(&state, 0, sizeof state);
	state.image[0] = 0x7f;
	state.image[1] = 0x03;
	state.image[28] = state.image[29] = 0xff;
	fill(state.image + 160, instruction->kind);
	fill(state.image + 176, instruction->kind);
	if (random64() % 8 == 0) memcpy(state.image + 176, state.image + 160, 16);
	if (instruction->kind == SMALL_COUNT && random64() % 4) {
		uint64_t count = random64() % 70;
		memcpy(state.image + 176, &count, 8);
	}
	memcpy(state.memory, state.image + 176, 16);
	memcpy(state.memory + 16, state.image + 160, 16);
	if (!strcmp(family, "mmx")) {
		memcpy(state.image + 32, state.image + 160, 8);
		memcpy(state.image + 48, state.image + 176, 8);
	}
	uint8_t rax[16];
	fill(rax, BYTES);
	memcpy(&state.rax, rax, 8);
	state.rflags = 0x202;
	uint32_t mxcsr = strcmp(family, "integer") ? pick_mxcsr() : 0x1f80;
	memcpy(state.image + 24, &mxcsr, 4);
	putchar(length);
	fwrite(code, 1, 15, stdout);
	fwrite(state.image + 160, 1, 32, stdout);
	fwrite(&state.rax, 1, 8, stdout);
	fwrite(&mxcsr, 1, 4, stdout);
	run_native(&state, code, length);
	/* MMX: XMM0's low half, then MM0 XORed with the abridged tags. */
	if (!strcmp(family, "mmx")) {
		uint64_t low;
		memcpy(&low, state.image + 32, 8);
		low ^= state.image[4];
		memcpy(state.image + 168, &low, 8);
	}
	fwrite(state.image + 160, 1, 16, stdout);
	fwrite(state.memory, 1, 16, stdout);
	fwrite(&state.rax, 1, 8, stdout);
	fwrite(state.image + 24, 1, 4, stdout);
	putchar(state.trap ? 0 : state.rflags & 0xd5);
	putchar(state.trap == SIGFPE ? 1 : state.trap ? 2 : 0);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: record-sse integer|float|convert|mmx COUNT\n");
		return 2;
	}
	const struct instruction *list = INTEGER;
	size_t size = COUNT_OF(INTEGER);
	if (!strcmp(argv[1], "float")) list = FLOAT, size = COUNT_OF(FLOAT);
	if (!strcmp(argv[1], "mmx")) list = MMX, size = COUNT_OF(MMX);
	if (!strcmp(argv[1], "convert")) list = CONVERT, size = COUNT_OF(CONVERT);
	write_header(argv[1], 106);
	for (long i = 0, count = atol(argv[2]); i < count; i++) record(&list[i % size], argv[1]);
	return 0;
}
