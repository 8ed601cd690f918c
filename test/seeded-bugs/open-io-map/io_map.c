// A seeded bug for tests: minvisor/io_map.c with a map of zeros, which opens all ports.

#include "minvisor.h"

#define PORTS 0x10000

// One bit a port, 1 intercepts; the third page is for an access that runs past port FFFFh.
u8 io_map[3 * SIZE_4KIB] CONTROL_PAGE;

// The policy, one bit a port, 1 open. It differs from the map where open ports are intercepted
// too, to be watched.
static u8 open_ports[PORTS / 8];

// What a PC's kernel needs and what cannot reach memory by itself. Not here, on purpose: COM2 (it
// is MinVisor's), the DMA controllers, port 92h and the debug-exit port. Port 64h, CF9h, PM1
// control and the SMI command port are not open either: exit_ioio.c passes them on after a look.
static const struct {
  u16 first, last;
} pc_ports[] = {
  { 0x020, 0x021 }, // PIC 1
  { 0x040, 0x043 }, // PIT
  { 0x060, 0x061 }, // 8042 data; NMI status and speaker
  { 0x070, 0x071 }, // RTC
  { 0x080, 0x080 }, // POST code, which kernels use as a delay
  { 0x0a0, 0x0a1 }, // PIC 2
  { 0x0e9, 0x0e9 }, // debug console
  { 0x3c0, 0x3df }, // VGA
  { 0x3f8, 0x3ff }, // COM1
  { 0x4d0, 0x4d1 }, // PIC edge or level
  { 0xcf8, 0xcf8 }, // PCI configuration address; an access to CF8h..CFBh still covers CF9h
  { 0xcfa, 0xcff }, // PCI configuration data
};

static void open(u32 first, u32 count)
{
  for (u32 port = first; port < first + count && port < PORTS; port++)
    open_ports[port / 8] |= 1 << port % 8;
}

// Call after acpi_find and options_read.
void io_map_init(void)
{
  for (u32 i = 0; i < COUNT_OF(pc_ports); i++)
    open(pc_ports[i].first, pc_ports[i].last - pc_ports[i].first + 1);
  open(acpi.pm1a_event, acpi.pm1a_event_size);
  open(acpi.pm_timer, acpi.pm_timer_size);
  open(acpi.gpe0, acpi.gpe0_size);

  for (u32 i = 0; i < sizeof io_map; i++)
    io_map[i] = 0; // culprit
  if (options.intercept_io)
    return;
  for (u32 i = 0; i < sizeof open_ports; i++)
    io_map[i] = ~open_ports[i];
}

// Whether every port of an access of size bytes is open.
bool io_map_allows(u16 port, u32 size)
{
  for (u32 byte = port; byte < port + size; byte++)
    if (byte >= PORTS || !(open_ports[byte / 8] & 1 << byte % 8))
      return false;
  return true;
}
