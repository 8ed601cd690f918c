// A seeded bug for tests: minvisor/nested_pages.c, which notes in the guest's memory how far it has
// come.
//
// APM volume 2, section 15.25: the nested walk uses the host's paging mode, here 4 levels, and
// counts as a user access, so US is set at every level. A 2 MiB leaf of the third level:
//
//   63      62:52    51:21                      20:13   12:9   8  7  6 5 4   3   2  1  0
//   NX = 0  0        physical address >> 21     0       0      G  PS D A PCD PWT US RW P

#include "minvisor.h"

#define ENTRY_P (1ul << 0)
#define ENTRY_RW (1ul << 1)
#define ENTRY_US (1ul << 2)
#define ENTRY_PS (1ul << 7)
#define ENTRY_ALL (ENTRY_P | ENTRY_RW | ENTRY_US)
#define ENTRIES 512

#define PROGRESS ((volatile u64 *)0x9e000)

static u64 pml4[ENTRIES] CONTROL_PAGE;
static u64 pdpt[ENTRIES] CONTROL_PAGE;
static u64 directories[NESTED_GIB_MAX][ENTRIES] CONTROL_PAGE;

// Refuses every call that would leave part of the protected range mapped or map too little.
static void check_contract(struct range protected, u64 limit)
{
  if (protected.start % SIZE_2MIB != 0 || protected.end % SIZE_2MIB != 0)
    panic("nested pages: the protected range 0x%lx..0x%lx is not aligned to 2 MiB, so a leaf would "
          "map part of it; round it outward",
          protected.start, protected.end);
  if (protected.start >= protected.end || protected.end > limit)
    panic("nested pages: the protected range 0x%lx..0x%lx is empty or runs past the mapped end "
          "0x%lx",
          protected.start, protected.end, limit);
  if (limit % SIZE_2MIB != 0 || limit > NESTED_GIB_MAX * (u64)SIZE_1GIB)
    panic("nested pages: cannot map guest memory up to 0x%lx; the most is %u GiB in whole 2 MiB",
          limit, NESTED_GIB_MAX);
  if ((u64)pml4 < protected.start || (u64)(directories + NESTED_GIB_MAX) > protected.end)
    panic("nested pages: the tables at 0x%lx lie outside the protected range 0x%lx..0x%lx",
          (u64)pml4, protected.start, protected.end);
}

// Maps [0, limit) except the protected range and returns the nCR3. Called once.
//
// The contract, checked: both ends of the protected range and limit are multiples of 2 MiB; the
// range is not empty and lies below limit, in as many GiB as it likes; limit is at most
// NESTED_GIB_MAX GiB; the tables themselves lie inside the protected range.
u64 nested_pages_build(struct range protected, u64 limit)
{
  check_contract(protected, limit);
  pml4[0] = (u64)pdpt | ENTRY_ALL;
  for (u64 address = 0; address < limit; address += SIZE_2MIB) {
    struct range page = { address, address + SIZE_2MIB };
    u64 *directory = directories[address / SIZE_1GIB];

    if (address % SIZE_1GIB == 0)
      pdpt[address / SIZE_1GIB] = (u64)directory | ENTRY_ALL;
    if (!ranges_overlap(page, protected))
      directory[address / SIZE_2MIB % ENTRIES] = address | ENTRY_ALL | ENTRY_PS;
    *PROGRESS = address; // culprit
  }
  return (u64)pml4;
}
