// IOIO: ports off the list, ports that are looked at first, and open ports that are watched.

#include "minvisor.h"

// EXITINFO1 (APM 2, section 15.10.2); EXITINFO2 is the RIP of the next instruction.
#define INFO_IN (1u << 0)
#define INFO_STRING (1u << 2)
#define INFO_SIZE_SHIFT 4
#define INFO_SIZE 7
#define INFO_PORT_SHIFT 16

#define PORT_8042_COMMAND 0x64
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_RESET_CONTROL 0xcf9

#define COMMAND_8042_PULSE 0xf0 // and above: pulses the output lines whose bits are 0
#define LINE_8042_RESET 1
#define RESET_CONTROL_CPU 4
#define PM1_CONTROL_SLEEP_ENABLE (1 << 13)

static u32 in(struct port_access access)
{
  switch (access.size) {
  case 1:
    return in8(access.port);
  case 2:
    return in16(access.port);
  default:
    return in32(access.port);
  }
}

static void out(struct port_access access, u32 value)
{
  switch (access.size) {
  case 1:
    out8(access.port, value);
    break;
  case 2:
    out16(access.port, value);
    break;
  default:
    out32(access.port, value);
    break;
  }
}

// The exact accesses that a mediated port takes; any other that touches one is refused.
static bool is_mediated(struct port_access access)
{
  if (access.port == PORT_8042_COMMAND || access.port == PORT_RESET_CONTROL)
    return access.size == 1;
  if (acpi.smi_command && access.port == acpi.smi_command)
    return access.size == 1;
  if (acpi.pm1a_control && access.port == acpi.pm1a_control)
    return access.size == 2;
  return access.port == PORT_PCI_ADDRESS && access.size == 4;
}

// A write that ends the run, if it does: MinVisor reports first and then lets it happen.
static const char *end_by_write(struct port_access access, u32 value)
{
  switch (access.port) {
  case PORT_8042_COMMAND:
    return value >= COMMAND_8042_PULSE && !(value & LINE_8042_RESET) ? "reset by the 8042" : NULL;
  case PORT_RESET_CONTROL:
    return value & RESET_CONTROL_CPU ? "reset by port 0xcf9" : NULL;
  }
  if (acpi.pm1a_control && access.port == acpi.pm1a_control)
    return value & PM1_CONTROL_SLEEP_ENABLE ? "power-off" : NULL;
  return NULL;
}

// The SMI handler runs outside of guest mode, so only the two commands of the FADT may reach it.
static bool is_harmless(struct port_access access, u32 value)
{
  return !acpi.smi_command || access.port != acpi.smi_command || value == acpi.acpi_enable ||
         value == acpi.acpi_disable;
}

// Of a read, or of a write whose value is not known yet.
static enum verdict verdict_of(struct port_access access)
{
  if (is_mediated(access))
    return MEDIATED;
  return io_map_allows(access.port, access.size) ? PASSED : REFUSED;
}

u32 port_read(struct port_access access, enum verdict verdict)
{
  count_port(access.port, true, verdict);
  return verdict == REFUSED ? ~0u : in(access);
}

void port_write(struct port_access access, enum verdict verdict, u32 value)
{
  const char *end = NULL;

  if (verdict == MEDIATED && !is_harmless(access, value))
    verdict = REFUSED;
  count_port(access.port, false, verdict);
  if (verdict == REFUSED)
    return;
  if (verdict == MEDIATED)
    end = end_by_write(access, value);
  if (end)
    report_end(end);
  out(access, value);
  if (end)
    wait_for_end(end);
}

// A 32-bit result clears the upper half of RAX, a smaller one leaves the rest alone.
static void put_result(struct port_access access, u32 value)
{
  u64 mask = access.size == 4 ? ~0ul : (1ul << access.size * 8) - 1;

  vmcb.save.rax = (vmcb.save.rax & ~mask) | (value & mask);
}

void exit_ioio(void)
{
  u64 info = vmcb.control.exit_info_1;
  struct port_access access = { info >> INFO_PORT_SHIFT, info >> INFO_SIZE_SHIFT & INFO_SIZE,
                                info & INFO_IN };
  enum verdict verdict = verdict_of(access);

  if (info & INFO_STRING) {
    string_io(access, verdict);
    return;
  }
  if (access.is_in)
    put_result(access, port_read(access, verdict));
  else
    port_write(access, verdict, vmcb.save.rax & (~0u >> (32 - access.size * 8)));
  set_rip(vmcb.control.exit_info_2);
}
