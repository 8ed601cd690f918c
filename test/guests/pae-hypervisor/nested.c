// Nested page tables in the host's own mode, PAE (APM volume 2, section 15.25), and their faults.

#include "warden.h"

#define ENTRIES 512
#define GUEST_ACCESS 0x07 // present, writable, user: the nested walk is a user's
#define READ_ONLY 0x05
#define LARGE 0x80
#define PRESENT 0x01

static u64 pointers[4] __attribute__((aligned(32)));
static u64 directory[ENTRIES] PAGE_ALIGNED;
static u64 small_pages[ENTRIES] PAGE_ALIGNED;

struct fault_counts {
  u32 late, refused;
  u64 last_gpa;
};
static struct fault_counts faults;

static inline u32 small_index(u32 gpa)
{
  return (gpa - WARD_SMALL_GPA) / SIZE_4KIB;
}

static inline u64 small_entry(u32 index, u32 access)
{
  return (WARD_SMALL_HPA + index * SIZE_4KIB) | access;
}

u32 nested_init(void)
{
  for (u32 i = 0; i < ENTRIES; i++)
    small_pages[i] = small_entry(i, GUEST_ACCESS);
  small_pages[small_index(WARD_LATE_GPA)] = 0;
  small_pages[small_index(WARD_CONST_GPA)] = small_entry(small_index(WARD_CONST_GPA), READ_ONLY);
  directory[0] = WARD_LOW_HPA | GUEST_ACCESS | LARGE;
  directory[1] = HPA(small_pages) | GUEST_ACCESS;
  pointers[0] = HPA(directory) | PRESENT;
  return HPA(pointers);
}

// Maps the late page; an access elsewhere is passed over.
struct outcome handle_fault(struct ward *ward)
{
  union fault_info info = { .word = ward->vmcb->exitinfo1 };
  u64 gpa = ward->vmcb->exitinfo2;
  u32 page = gpa & ~(u64)(SIZE_4KIB - 1);

  faults.last_gpa = gpa;
  if (page == WARD_LATE_GPA && !info.present) {
    u32 index = small_index(page);

    small_pages[index] = small_entry(index, GUEST_ACCESS);
    faults.late++;
    return done(0);
  }
  faults.refused++;
  say_number(info.write ? "warden: refused a write at gpa " : "warden: refused a read at gpa ", gpa);
  return done(2); // mov %eax, (%ebx) or the reverse
}
