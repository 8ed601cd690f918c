// The integer types that MinVisor uses, by their width.

#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
