// Memory and string functions that a freestanding compiler may call.

#include "minvisor.h"

static void *copy_forward(void *to, const void *from, u64 size)
{
  void *target = to;
  u64 quads = size / 8, bytes = size % 8;

  asm volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(quads) : : "memory");
  asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

void *memcpy(void *to, const void *from, u64 size)
{
  return copy_forward(to, from, size);
}

void *memmove(void *to, const void *from, u64 size)
{
  u8 *target = to;
  const u8 *source = from;

  if (target <= source || target >= source + size)
    return copy_forward(to, from, size);
  while (size-- > 0)
    target[size] = source[size];
  return to;
}

void *memset(void *to, int value, u64 size)
{
  void *target = to;
  u64 quads = size / 8, bytes = size % 8;
  u64 pattern = (u8)value * 0x0101010101010101ul;

  asm volatile("rep stosq" : "+D"(target), "+c"(quads) : "a"(pattern) : "memory");
  asm volatile("rep stosb" : "+D"(target), "+c"(bytes) : "a"(pattern) : "memory");
  return to;
}

int memcmp(const void *a, const void *b, u64 size)
{
  const u8 *left = a, *right = b;

  for (u64 i = 0; i < size; i++)
    if (left[i] != right[i])
      return left[i] - right[i];
  return 0;
}

u64 strlen(const char *text)
{
  u64 length = 0;

  while (text[length])
    length++;
  return length;
}
