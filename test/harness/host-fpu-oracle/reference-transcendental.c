/*
 * Reference values of the x87's transcendental functions, computed with 113 bits (libquadmath).
 * Text on stdout, a line a vector: name, operand x and y (sign-exponent:significand), result as the
 * raw bits of a binary128.
 */
#include <quadmath.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "run-native.h"

static long double extended(int low, int high) {
	uint64_t significand = 1ull << 63 | random64();
	if (random64() % 4 == 0) significand &= ~0ull << (random64() % 64);
	uint16_t exponent = 16383 + low + random64() % (high - low + 1);
	if (random64() & 1) exponent |= 0x8000;
	long double value = 0;
	memcpy(&value, &significand, 8);
	memcpy((char *)&value + 8, &exponent, 2);
	return value;
}

static void put_extended(long double value) {
	uint64_t significand;
	uint16_t top;
	memcpy(&significand, &value, 8);
	memcpy(&top, (char *)&value + 8, 2);
	printf(" %04x:%016llx", top, (unsigned long long)significand);
}

static void put(const char *name, long double x, long double y, __float128 result) {
	uint64_t words[2];
	memcpy(words, &result, 16);
	printf("%s", name);
	put_extended(x);
	put_extended(y);
	printf(" %016llx%016llx\n", (unsigned long long)words[1], (unsigned long long)words[0]);
}

int main(void) {
	for (int i = 0; i < 300; i++) {
		/* Mostly ordinary magnitudes, some from the ends of the range. */
		int wide = i % 5 == 0;
		long double angle = extended(wide ? -200 : -10, wide ? 62 : 6);
		put("FSIN", angle, 0, sinq(angle));
		put("FCOS", angle, 0, cosq(angle));
		put("FPTAN", angle, 0, tanq(angle));
		long double small = extended(wide ? -300 : -12, -1);
		put("F2XM1", small, 0, expm1q((__float128)small * M_LN2q));
		long double y = extended(wide ? -300 : -8, wide ? 300 : 8);
		long double positive = extended(wide ? -300 : -3, wide ? 300 : 3);
		if (positive < 0) positive = -positive;
		put("FYL2X", positive, y, y * log2q(positive));
		long double near = 1 + extended(-60, -4);
		put("FYL2X", near, y, y * (log1pq((__float128)near - 1) / M_LN2q));
		long double offset = extended(wide ? -300 : -20, -2);
		if (offset > -0.29L) put("FYL2XP1", offset, y, y * (log1pq(offset) / M_LN2q));
		long double x = extended(wide ? -300 : -8, wide ? 300 : 8);
		put("FPATAN", x, y, atan2q(y, x));
	}
	return 0;
}
