// Runs minvisor/guest_memory.c as a host program on page tables of its own, one line a check.
// Linked below 4 GiB and not relocated, so that the program's addresses serve as guest-physical.

#include <stdio.h>
#include <string.h>

#include "minvisor.h"

#define P 1ul
#define RW 2ul
#define US 4ul
#define A 0x20ul
#define D 0x40ul
#define PS 0x80ul
#define ALL (P | RW | US)

#define CR0_WP (1ul << 16)
#define CR4_PSE (1ul << 4)
#define CR4_PAE (1ul << 5)
#define CR4_SMAP (1ul << 21)

struct vmcb vmcb;
const struct range minvisor_region = { MINVISOR_START, MINVISOR_END };

static u64 tables[4][512] __attribute__((aligned(4096)));
static u8 page[4096] __attribute__((aligned(4096)));
static const char *injected;
static u32 injected_error;

void inject_exception(u8 vector, bool has_error_code)
{
  (void)has_error_code;
  injected = vector == EXCEPTION_GP ? "#GP" : "other";
}

void inject_page_fault(u64 address, u32 error_code)
{
  (void)address;
  injected = "#PF";
  injected_error = error_code;
}

static void check(const char *name, bool is_right)
{
  printf("%s: %s\n", name, is_right ? "ok" : "WRONG");
}

// Where a byte at a linear address is found, NULL after a fault.
static u8 *find(u64 linear, bool is_write)
{
  struct guest_bytes bytes;

  injected = "none";
  injected_error = 0;
  return guest_find(linear, 1, is_write, &bytes) ? bytes.at[0] : NULL;
}

static bool faults(u64 linear, bool is_write, const char *name, u32 error)
{
  return !find(linear, is_write) && strcmp(injected, name) == 0 && injected_error == error;
}

static void start(u64 cr4, u64 efer, u8 cpl)
{
  memset(tables, 0, sizeof tables);
  vmcb.save.cr0 = CR0_PE | CR0_PG;
  vmcb.save.cr3 = (u64)tables[0];
  vmcb.save.cr4 = cr4;
  vmcb.save.efer = efer;
  vmcb.save.cpl = cpl;
}

static void four_levels(void)
{
  u64 linear = 0x123456789abcul & ~0xffful;

  start(CR4_PAE, EFER_LMA, 3);
  tables[0][linear >> 39 & 511] = (u64)tables[1] | ALL;
  tables[1][linear >> 30 & 511] = (u64)tables[2] | ALL;
  tables[2][linear >> 21 & 511] = (u64)tables[3] | ALL;
  tables[3][linear >> 12 & 511] = (u64)page | P | US;
  check("4 levels, 4 KiB", find(linear + 5, false) == page + 5);
  check("A is set, D is not", tables[3][linear >> 12 & 511] == ((u64)page | P | US | A));
  check("a user's write to a read-only page", faults(linear, true, "#PF", 7));
  vmcb.save.cpl = 0;
  check("a supervisor's write without WP", find(linear, true) == page);
  check("D is set", tables[3][linear >> 12 & 511] & D);
  vmcb.save.cr0 |= CR0_WP;
  check("a supervisor's write with WP", faults(linear, true, "#PF", 3));
  vmcb.save.cr4 |= CR4_SMAP;
  check("a supervisor's read under SMAP", faults(linear, false, "#PF", 1));
  check("a page that is not present", faults(linear + 4096, false, "#PF", 0));

  start(CR4_PAE, EFER_LMA, 0);
  tables[0][0] = (u64)tables[1] | ALL;
  tables[1][0] = (u64)tables[2] | ALL;
  tables[1][1] = PS | ALL;
  tables[2][3] = (u64)page >> 21 << 21 | PS | ALL;
  linear = 3 * SIZE_2MIB + (u64)page % SIZE_2MIB;
  check("4 levels, 2 MiB", find(linear, false) == page);
  check("4 levels, 1 GiB", find(SIZE_1GIB + (u64)page, false) == page);
  tables[2][3] = MINVISOR_START | PS | ALL;
  check("a page of MinVisor", faults(3 * SIZE_2MIB, false, "#GP", 0));
  tables[1][0] = CONTROL_START | ALL;
  check("a table of MinVisor", faults(3 * SIZE_2MIB, false, "#GP", 0));
}

static void pae(void)
{
  start(CR4_PAE, 0, 0);
  tables[0][3] = (u64)tables[1] | P;
  tables[1][1] = (u64)tables[2] | ALL;
  tables[1][2] = (u64)page >> 21 << 21 | PS | ALL;
  tables[2][0] = (u64)page | ALL;
  check("PAE, 4 KiB", find(0xc0200007, true) == page + 7);
  check("PAE, 2 MiB", find(0xc0400000 + (u64)page % SIZE_2MIB, false) == page);
  check("a PDPTE keeps its bits", tables[0][3] == ((u64)tables[1] | P));
}

static void legacy(void)
{
  u32 *directory = (u32 *)tables[0], *table = (u32 *)tables[1];

  start(CR4_PSE, 0, 3);
  directory[0x300] = (u32)(u64)table | ALL;
  directory[0x301] = ((u64)page >> 22 << 22) | PS | ALL;
  table[2] = (u32)(u64)page | ALL;
  check("legacy, 4 KiB", find(0xc0002009, true) == page + 9);
  check("legacy, 4 MiB", find(0xc0400000 + (u64)page % (2 * SIZE_2MIB), false) == page);
  directory[0x300] &= ~US;
  check("a user's read under a supervisor's table", faults(0xc0002009, false, "#PF", 5));
  vmcb.save.cr0 &= ~CR0_PG;
  check("no paging", find((u64)page, true) == page);
  check("no paging, MinVisor's last byte", faults(MINVISOR_END - 1, false, "#GP", 0));
}

int main(void)
{
  four_levels();
  pae();
  legacy();
  return 0;
}
