// A seeded bug for tests: minvisor/guest_memory.c that translates the first byte alone and takes
// the others to follow it.
//
// Everything that the guest names here is checked against MinVisor's region, table addresses too:
// the host maps all of memory, so this file is where a guest could try to use MinVisor's eyes.

#include "minvisor.h"

#define CR0_WP (1ul << 16)
#define CR4_PSE (1ul << 4)
#define CR4_PAE (1ul << 5)
#define CR4_SMAP (1ul << 21)
#define RFLAGS_AC (1ul << 18)
#define ATTRIBUTE_L (1u << 9)

#define ENTRY_P (1ul << 0)
#define ENTRY_RW (1ul << 1)
#define ENTRY_US (1ul << 2)
#define ENTRY_A (1ul << 5)
#define ENTRY_D (1ul << 6)
#define ENTRY_PS (1ul << 7)
#define ENTRY_ADDRESS 0x000ffffffffff000ul

#define ERROR_P 1
#define ERROR_WRITE 2
#define ERROR_USER 4

// How one paging mode walks (APM volume 2, sections 5.2 and 5.3).
struct paging {
  u32 top_shift, bits, entry_size;
  u64 root;
};

static bool is_64_bit(void)
{
  return (vmcb.save.efer & EFER_LMA) && (vmcb.save.cs.attributes & ATTRIBUTE_L);
}

// The host's pointer to guest-physical bytes, or NULL where they are not the guest's RAM to give.
static void *guest_pointer(u64 address, u64 size)
{
  struct range bytes = { address, address + size };

  if (bytes.end > SIZE_4GIB || ranges_overlap(bytes, minvisor_region))
    return NULL;
  return (void *)address;
}

static struct paging paging_mode(void)
{
  u64 cr3 = vmcb.save.cr3;

  if (vmcb.save.efer & EFER_LMA)
    return (struct paging){ 39, 9, 8, cr3 & ENTRY_ADDRESS };
  if (vmcb.save.cr4 & CR4_PAE)
    return (struct paging){ 30, 9, 8, cr3 & 0xffffffe0 };
  return (struct paging){ 22, 10, 4, cr3 & 0xfffff000 };
}

// Large pages: 2 MiB and, with four levels, 1 GiB; 4 MiB where CR4.PSE allows them. The address
// bits above 32 of a 4 MiB page (PSE-36) are taken to be 0.
static bool is_leaf(struct paging paging, u64 entry, u32 shift)
{
  if (shift == 12)
    return true;
  if (!(entry & ENTRY_PS))
    return false;
  if (paging.entry_size == 4)
    return vmcb.save.cr4 & CR4_PSE;
  return shift == 21 || (shift == 30 && paging.top_shift == 39);
}

static bool is_permitted(u64 rights, bool is_write)
{
  bool is_user = vmcb.save.cpl == 3;

  if (is_user && !(rights & ENTRY_US))
    return false;
  if (is_write && !(rights & ENTRY_RW) && (is_user || (vmcb.save.cr0 & CR0_WP)))
    return false;
  return is_user || !(rights & ENTRY_US) || !(vmcb.save.cr4 & CR4_SMAP) ||
         (vmcb.save.rflags & RFLAGS_AC);
}

static void *fault(u64 linear, bool is_write, u32 present)
{
  inject_page_fault(linear, present | (is_write ? ERROR_WRITE : 0) |
                                (vmcb.save.cpl == 3 ? ERROR_USER : 0));
  return NULL;
}

static void *refuse(void)
{
  inject_exception(EXCEPTION_GP, true);
  return NULL;
}

// The host's pointer to one byte of guest-virtual memory; NULL when the fault that the access
// meets has been injected. Sets A and D as the CPU would.
static u8 *translate(u64 linear, bool is_write)
{
  struct paging paging = paging_mode();
  u64 table = paging.root, rights = ENTRY_RW | ENTRY_US;
  u8 *byte;

  if (!(vmcb.save.cr0 & CR0_PG)) {
    byte = guest_pointer(linear, 1);
    return byte ? byte : refuse();
  }
  for (u32 shift = paging.top_shift;; shift -= paging.bits) {
    u64 index = linear >> shift & ((1u << paging.bits) - 1);
    u8 *at = guest_pointer(table + index * paging.entry_size, paging.entry_size);
    u64 entry = 0, offset_mask = (1ul << shift) - 1;
    bool is_pdpte = paging.top_shift == 30 && shift == 30; // has no rights and no A bit

    if (!at)
      return refuse();
    memcpy(&entry, at, paging.entry_size);
    if (!(entry & ENTRY_P))
      return fault(linear, is_write, 0);
    if (!is_pdpte)
      rights &= entry;
    if (is_leaf(paging, entry, shift)) {
      if (!is_permitted(rights, is_write))
        return fault(linear, is_write, ERROR_P);
      *at |= ENTRY_A | (is_write ? ENTRY_D : 0);
      byte = guest_pointer((entry & ENTRY_ADDRESS & ~offset_mask) | (linear & offset_mask), 1);
      return byte ? byte : refuse();
    }
    if (!is_pdpte)
      *at |= ENTRY_A;
    table = entry & ENTRY_ADDRESS;
  }
}

// The linear address of size bytes at segment:offset. False when #GP has been injected for a
// segment limit; 64-bit code has none, and bases of FS and GS only.
bool guest_linear(const struct segment *segment, u64 offset, u32 size, u64 *linear)
{
  if (is_64_bit()) {
    bool has_base = segment == &vmcb.save.fs || segment == &vmcb.save.gs;

    *linear = offset + (has_base ? segment->base : 0);
    return true;
  }
  *linear = (u32)(offset + segment->base);
  if (offset + size - 1 <= segment->limit)
    return true;
  refuse();
  return false;
}

// Finds the bytes at a linear address, at most GUEST_BYTES_MAX; false when a fault was injected.
bool guest_find(u64 linear, u32 size, bool is_write, struct guest_bytes *bytes)
{
  bytes->size = size;
  for (u32 i = 0; i < size; i++) {
    bytes->at[i] = i == 0 ? translate(linear, is_write) : bytes->at[0] + i; // culprit
    if (!bytes->at[i])
      return false;
  }
  return true;
}

u32 guest_get(const struct guest_bytes *bytes)
{
  u32 value = 0;

  for (u32 i = 0; i < bytes->size; i++)
    value |= (u32)*bytes->at[i] << i * 8;
  return value;
}

void guest_put(const struct guest_bytes *bytes, u32 value)
{
  for (u32 i = 0; i < bytes->size; i++)
    *bytes->at[i] = value >> i * 8;
}
