// The I/O permission map and the ports behind it.

#include "warden.h"

#define MAP_BYTES 0x3000

static u8 port_map[MAP_BYTES] PAGE_ALIGNED;

enum access_kind { READ_SCRATCH, WRITE_SCRATCH, READ_CLOCK, OTHER };

// All ports but COM1's are the hypervisor's.
void port_map_init(struct vmcb *vmcb)
{
  for (u32 i = 0; i < MAP_BYTES; i++)
    port_map[i] = i == 0x3f8 / 8 ? 0 : 0xff;
  vmcb->iopm_base_pa = HPA(port_map);
}

static enum access_kind kind_of(union port_info info)
{
  if (info.port == PORT_SCRATCH)
    return info.is_in ? READ_SCRATCH : WRITE_SCRATCH;
  return info.port == PORT_CLOCK && info.is_in ? READ_CLOCK : OTHER;
}

static inline u32 width_mask(union port_info info)
{
  return info.is_8 ? 0xff : info.is_16 ? 0xffff : ~0u;
}

struct outcome handle_port(struct ward *ward)
{
  static u32 clock;
  struct vmcb *vmcb = ward->vmcb;
  union port_info info = { .word = vmcb->exitinfo1 };
  u32 mask = width_mask(info);
  u32 value = ~0u;

  switch (kind_of(info)) {
  case WRITE_SCRATCH:
    ward->scratch = vmcb->rax;
    break;
  case READ_SCRATCH:
    value = ward->scratch;
    break;
  case READ_CLOCK:
    value = clock += 7;
    break;
  default:
    say_number("warden: nothing is behind port ", info.port);
  }
  if (info.is_in)
    vmcb->rax = (vmcb->rax & ~mask) | (value & mask);
  return done((u32)vmcb->exitinfo2 - (u32)vmcb->rip); // EXITINFO2 is the next RIP
}
