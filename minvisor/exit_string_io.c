// INS and OUTS on an intercepted port, one element an exit: a REP instruction exits once for each.

#include "minvisor.h"

// EXITINFO1 beyond what every IOIO has (APM 2, section 15.10.2).
#define INFO_REP (1u << 3)
#define INFO_ADDRESS_16 (1u << 7)
#define INFO_ADDRESS_32 (1u << 8)

#define RFLAGS_DF (1ul << 10)
#define INSTRUCTION_SIZE_MAX 15

static u64 address_mask(void)
{
  if (vmcb.control.exit_info_1 & INFO_ADDRESS_16)
    return 0xffff;
  return vmcb.control.exit_info_1 & INFO_ADDRESS_32 ? 0xffffffff : ~0ul;
}

// A register under an address size: 16 bits leave the rest alone, 32 bits clear the upper half.
static void put_register(u64 *reg, u64 value)
{
  u64 mask = address_mask();

  *reg = mask == 0xffff ? (*reg & ~mask) | (value & mask) : value & mask;
}

static const struct segment *segment_of_prefix(u8 prefix)
{
  switch (prefix) {
  case 0x26:
    return &vmcb.save.es;
  case 0x2e:
    return &vmcb.save.cs;
  case 0x36:
    return &vmcb.save.ss;
  case 0x64:
    return &vmcb.save.fs;
  case 0x65:
    return &vmcb.save.gs;
  default:
    return NULL;
  }
}

// The segment that OUTS reads from, by its prefixes: EXITINFO1 names it only on CPUs with decode
// assists. NULL when the instruction cannot be read and a fault has been injected.
static const struct segment *outs_segment(void)
{
  const struct segment *segment = &vmcb.save.ds;
  u64 size = vmcb.control.exit_info_2 - vmcb.save.rip;

  for (u32 i = 0; i < size && i < INSTRUCTION_SIZE_MAX; i++) {
    struct guest_bytes byte;
    const struct segment *named;
    u64 linear;

    if (!guest_linear(&vmcb.save.cs, vmcb.save.rip + i, 1, &linear) ||
        !guest_find(linear, 1, false, &byte))
      return NULL;
    named = segment_of_prefix(guest_get(&byte));
    if (named)
      segment = named;
  }
  return segment;
}

// Moves one element and answers whether it did; a fault has been injected where it did not.
static bool move_element(struct port_access access, enum verdict verdict, u64 *index)
{
  const struct segment *segment = access.is_in ? &vmcb.save.es : outs_segment();
  struct guest_bytes bytes;
  u64 linear;

  if (!segment || !guest_linear(segment, *index & address_mask(), access.size, &linear) ||
      !guest_find(linear, access.size, access.is_in, &bytes))
    return false;
  if (access.is_in)
    guest_put(&bytes, port_read(access, verdict));
  else
    port_write(access, verdict, guest_get(&bytes));
  return true;
}

// The verdict is that of the port. REP with a count of 0 does nothing and does not exit.
void string_io(struct port_access access, enum verdict verdict)
{
  u64 *index = access.is_in ? &guest.rdi : &guest.rsi;
  u64 step = vmcb.save.rflags & RFLAGS_DF ? -(u64)access.size : access.size;

  if (!move_element(access, verdict, index)) {
    count_port(access.port, access.is_in, REFUSED);
    return;
  }
  put_register(index, *index + step);
  if (vmcb.control.exit_info_1 & INFO_REP) {
    put_register(&guest.rcx, guest.rcx - 1);
    if (guest.rcx & address_mask())
      return;
  }
  set_rip(vmcb.control.exit_info_2);
}
