/*
 * Records x87 vectors: for each instruction below, random and edge inputs and what the CPU did.
 * Usage: record-x87 FAMILY COUNT, FAMILY one of arithmetic, move, special. Layout on stdout: a JSON line,
 * then records: length u8, code 15 bytes, in: FCW u16, FSW u16, abridged tags u8, RFLAGS u8, then
 * ST(0), ST(1), ST(2) and ST(7) of 10 bytes each (the others hold 1.0), memory 16 bytes;
 * out: FCW, FSW, tags, RFLAGS, the same four physical registers, memory 16, AX u16.
 */
#include "run-native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NONE, SINGLE, DOUBLE, EXTENDED, INTEGER, BCD, WORD };

struct instruction {
	enum kind kind;
	const char *code; /* memory operands are at [RDI] */
};

static const struct instruction ARITHMETIC[] = {
    {SINGLE, "d807"}, {DOUBLE, "dc07"}, {INTEGER, "da07"}, {INTEGER, "de07"},
    {NONE, "d8c1"}, {NONE, "dcc1"}, {NONE, "dec1"}, {SINGLE, "d80f"},
    {DOUBLE, "dc0f"}, {INTEGER, "da0f"}, {INTEGER, "de0f"}, {NONE, "d8c9"},
    {NONE, "dcca"}, {NONE, "dec9"}, {SINGLE, "d827"}, {DOUBLE, "dc27"},
    {INTEGER, "da27"}, {INTEGER, "de27"}, {NONE, "d8e1"}, {NONE, "dce1"},
    {NONE, "dee1"}, {SINGLE, "d82f"}, {DOUBLE, "dc2f"}, {INTEGER, "da2f"},
    {INTEGER, "de2f"}, {NONE, "d8e9"}, {NONE, "dce9"}, {NONE, "dee9"},
    {SINGLE, "d837"}, {DOUBLE, "dc37"}, {INTEGER, "da37"}, {INTEGER, "de37"},
    {NONE, "d8f1"}, {NONE, "dcf1"}, {NONE, "def1"}, {SINGLE, "d83f"},
    {DOUBLE, "dc3f"}, {INTEGER, "da3f"}, {INTEGER, "de3f"}, {NONE, "d8f9"},
    {NONE, "dcf9"}, {NONE, "def9"}, {NONE, "d9fa"}, {NONE, "d9fa"},
    {NONE, "d9fc"}, {NONE, "d9fc"}, {NONE, "d9fd"}, {NONE, "d9fd"},
    {NONE, "d9f4"}, {NONE, "d9f5"}, {NONE, "d9f8"}, {NONE, "d9f5"},
    {NONE, "d9f8"},
};

static const struct instruction MOVE[] = {
    {SINGLE, "d907"}, {DOUBLE, "dd07"}, {EXTENDED, "db2f"}, {INTEGER, "df07"},
    {INTEGER, "db07"}, {INTEGER, "df2f"}, {BCD, "df27"}, {NONE, "d9c1"},
    {NONE, "d917"}, {NONE, "d91f"}, {NONE, "dd17"}, {NONE, "dd1f"},
    {NONE, "db3f"}, {NONE, "df37"}, {NONE, "df17"}, {NONE, "df1f"},
    {NONE, "db17"}, {NONE, "db1f"}, {NONE, "df3f"}, {NONE, "df0f"},
    {NONE, "db0f"}, {NONE, "dd0f"}, {NONE, "ddd1"}, {NONE, "ddd9"},
    {NONE, "d9c9"}, {NONE, "dac1"}, {NONE, "dac9"}, {NONE, "dad1"},
    {NONE, "dad9"}, {NONE, "dbc1"}, {NONE, "dbc9"}, {NONE, "dbd1"},
    {NONE, "dbd9"}, {NONE, "d9e8"}, {NONE, "d9e9"}, {NONE, "d9ea"},
    {NONE, "d9eb"}, {NONE, "d9ec"}, {NONE, "d9ed"}, {NONE, "d9ee"},
    {SINGLE, "d817"}, {SINGLE, "d81f"}, {DOUBLE, "dc17"}, {DOUBLE, "dc1f"},
    {INTEGER, "da17"}, {INTEGER, "da1f"}, {INTEGER, "de17"}, {INTEGER, "de1f"},
    {NONE, "d8d1"}, {NONE, "d8d9"}, {NONE, "ded9"}, {NONE, "dde1"},
    {NONE, "dde9"}, {NONE, "dae9"}, {NONE, "dbf1"}, {NONE, "dbe9"},
    {NONE, "dff1"}, {NONE, "dfe9"}, {NONE, "d9e4"}, {NONE, "d9e5"},
    {NONE, "d9e5"}, {NONE, "d9e0"}, {NONE, "d9e1"}, {WORD, "d92f"},
    {NONE, "d93f"}, {NONE, "dd3f"}, {NONE, "dfe0"}, {NONE, "dbe2"},
    {NONE, "dbe3"}, {NONE, "d9d0"}, {NONE, "d9f6"}, {NONE, "d9f7"},
    {NONE, "ddc1"}, {NONE, "dfc1"}, {NONE, "9b"}, {NONE, "0f77"}, {NONE, "dcd1"}, {NONE, "dcd9"}, {NONE, "ded1"},
    {NONE, "d9d9"}, {NONE, "dfd1"}, {NONE, "dfd9"}, {NONE, "ddc9"}, {NONE, "dfc9"},
};

static const struct instruction TRANSCENDENTAL[] = {
    {NONE, "d9f0"}, {NONE, "d9f1"}, {NONE, "d9f2"}, {NONE, "d9f3"},
    {NONE, "d9f9"}, {NONE, "d9fb"}, {NONE, "d9fe"}, {NONE, "d9ff"},
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static unsigned one_in(unsigned n) { return random64() % n == 0; }

static uint64_t pick_significand(void) {
	switch (random64() % 6) {
	case 0: return 1ull << 63;
	case 1: return ~0ull << (random64() % 64);
	case 2: return 1ull << 63 | 1ull << (random64() % 64);
	case 3: return 1ull << 63 | random64() >> 40 << 40;
	case 4: return 1ull << 63 | random64() >> 11 << 11 | (random64() & 1 ? 0x400 : 0);
	default: return 1ull << 63 | random64();
	}
}

static unsigned pick_exponent(void) {
	static const int centres[] = {0, -1, 1, 14, 15, 16, 30, 31, 32, 59, 60, 62, 63, 64, 127, -126,
	                              -149, 1023, -1022, -1074, 16383, -16382, 8191, -8191};
	switch (random64() % 4) {
	case 0: return 16383 - 3 + random64() % 7;
	case 1: return random64() & 0x7fff;
	case 2: return 16383 - 70 + random64() % 140;
	default: return (16383 + centres[random64() % COUNT_OF(centres)] + random64() % 3 - 1) & 0x7fff;
	}
}

static void extended(uint8_t *at) {
	uint64_t significand = pick_significand();
	uint16_t sign = random64() & 0x8000, exponent = pick_exponent();
	switch (random64() % 24) {
	case 0: exponent = 0, significand = 0; break;
	case 1: exponent = 0, significand = random64() >> (1 + random64() % 63); break;
	case 2: exponent = 0; break; /* pseudo-denormal */
	case 3: significand &= ~(1ull << 63); break; /* unnormal */
	case 4: case 5: exponent = 0x7fff, significand = 1ull << 63; break;
	case 6: exponent = 0x7fff, significand = 3ull << 62 | random64() >> 2; break;
	case 7: exponent = 0x7fff, significand = 1ull << 63 | random64() >> (2 + random64() % 60); break;
	case 8: if (one_in(4)) exponent = 0x7fff, significand &= ~(1ull << 63); break;
	}
	uint16_t top = sign | exponent;
	memcpy(at, &significand, 8);
	memcpy(at + 8, &top, 2);
}

static uint64_t binary(unsigned fraction_bits, unsigned exponent_bits) {
	uint64_t fraction = random64() & ((1ull << fraction_bits) - 1);
	uint64_t mask = (1ull << exponent_bits) - 1, exponent = mask / 2 - 4 + random64() % 9;
	if (one_in(3)) fraction = one_in(2) ? 0 : 1ull << (fraction_bits - 1);
	if (one_in(6)) exponent = 0;
	if (one_in(6)) exponent = mask;
	if (one_in(4)) exponent = random64() & mask;
	return (random64() & 1) << (fraction_bits + exponent_bits) | exponent << fraction_bits | fraction;
}

static void memory_operand(uint8_t *at, enum kind kind) {
	uint64_t halves[2] = {random64(), random64()};
	if (kind == SINGLE) halves[0] = binary(23, 8);
	if (kind == DOUBLE) halves[0] = binary(52, 11);
	if (kind == INTEGER && one_in(2)) halves[0] = (int64_t)halves[0] >> (random64() % 64);
	if (kind == WORD) halves[0] |= 0x3f;
	memcpy(at, halves, 16);
	if (kind == EXTENDED) extended(at);
	if (kind == BCD) {
		for (int i = 0; i < 9; i++) at[i] = (random64() % 10) << 4 | random64() % 10;
		at[9] = random64() & 0x80;
	}
}

static const unsigned KEPT[] = {0, 1, 2, 7};

static void put_registers(const struct native_state *state, unsigned old_top) {
	unsigned top = state->image[3] >> 3 & 7;
	for (unsigned i = 0; i < 4; i++) {
		fwrite(state->image + 32 + 16 * ((KEPT[i] + old_top - top) & 7), 1, 10, stdout);
	}
}

static void record(const struct instruction *instruction) {
	static struct native_state state;
	uint8_t code[16] = {0};
	unsigned length = parse_hex(instruction->code, code), top = random64() & 7;
	memset(&state, 0, sizeof state);
	uint16_t control = 0x7f | (random64() & 0xc00) | (one_in(3) ? random64() & 0x300 : 0x300);
	if (one_in(4)) control ^= random64() & 0x3f;
	uint16_t status = (random64() & 0x4700) | top << 11 | (one_in(4) ? control & random64() & 0x3f : 0);
	uint32_t mxcsr = 0x1f80;
	memcpy(state.image, &control, 2);
	memcpy(state.image + 2, &status, 2);
	memcpy(state.image + 24, &mxcsr, 4);
	for (unsigned i = 0; i < 8; i++) {
		static const uint8_t one[10] = {0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f};
		uint8_t *at = state.image + 32 + 16 * i;
		memcpy(at, one, 10);
		if (i < 3 || i == 7) extended(at);
		if (i == 1 && one_in(4)) memcpy(at, at - 16, 8), at[8] ^= random64() & 3;
		unsigned full = i == 7 ? one_in(8) : !one_in(20);
		if (full) state.image[4] |= 1 << ((top + i) & 7);
	}
	memory_operand(state.memory, instruction->kind);
	state.rflags = 0x202 | (random64() & 0x45);
	putchar(length);
	fwrite(code, 1, 15, stdout);
	fwrite(state.image, 1, 5, stdout);
	putchar(state.rflags & 0xd5);
	put_registers(&state, top);
	fwrite(state.memory, 1, 16, stdout);
	run_native(&state, code, length);
	fwrite(state.image, 1, 5, stdout);
	putchar(state.rflags & 0xd5);
	put_registers(&state, top);
	fwrite(state.memory, 1, 16, stdout);
	fwrite(&state.rax, 1, 2, stdout);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: record-x87 arithmetic|move|special COUNT\n");
		return 2;
	}
	int moves = !strcmp(argv[1], "move");
	const struct instruction *list = moves ? MOVE : ARITHMETIC;
	size_t size = moves ? COUNT_OF(MOVE) : COUNT_OF(ARITHMETIC);
	if (!strcmp(argv[1], "special")) list = TRANSCENDENTAL, size = COUNT_OF(TRANSCENDENTAL);
	write_header(argv[1], 142);
	for (long i = 0, count = atol(argv[2]); i < count; i++) record(&list[i % size]);
	return 0;
}
