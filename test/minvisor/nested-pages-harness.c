// Runs minvisor/nested_pages.c as a host program: START END LIMIT in hexadecimal, one call. Exits
// with 3 and the sentence where the call is refused, otherwise checks every leaf that was built.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "minvisor.h"

#define LEAF_FLAGS 0x87ul // present, writable, user, a 2 MiB leaf
#define TABLE_FLAGS 0x07ul
#define FLAGS 0xffful

void panic(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  exit(3);
}

void *memset(void *to, int value, u64 size)
{
  for (u64 i = 0; i < size; i++)
    ((volatile u8 *)to)[i] = value;
  return to;
}

static u64 entry_of(u64 table, u64 address, u32 shift)
{
  return ((u64 *)(table & ~FLAGS))[address >> shift & 511];
}

// The leaf for a guest-physical address, 0 where nothing is mapped.
static u64 leaf_of(u64 nested_cr3, u64 address)
{
  u64 entry = nested_cr3 | TABLE_FLAGS;

  for (u32 shift = 39; shift >= 21; shift -= 9) {
    if ((entry & FLAGS) != TABLE_FLAGS)
      return 0;
    entry = entry_of(entry, address, shift);
  }
  return entry;
}

int main(int count, char **arguments)
{
  struct range protected;
  u64 limit, nested_cr3, wrong = 0;

  if (count != 4)
    return 2;
  protected = (struct range){ strtoul(arguments[1], 0, 16), strtoul(arguments[2], 0, 16) };
  limit = strtoul(arguments[3], 0, 16);
  nested_cr3 = nested_pages_build(protected, limit);
  for (u64 address = 0; address < limit + SIZE_1GIB; address += SIZE_2MIB) {
    bool is_absent = address >= limit || (address >= protected.start && address < protected.end);

    wrong += leaf_of(nested_cr3, address) != (is_absent ? 0 : address | LEAF_FLAGS);
  }
  printf("%lu wrong leaves", wrong);
  return wrong ? 1 : 0;
}
