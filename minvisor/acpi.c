// What MinVisor needs from the ACPI tables: how many CPUs, and the ports of the power management.

#include "minvisor.h"

#define EBDA_SEGMENT_POINTER 0x40e
#define EBDA_SEARCHED 1024
#define BIOS_START 0xe0000
#define BIOS_END 0x100000
#define RSDP_ALIGNMENT 16
#define RSDP_SIZE 20

// Fields of the RSDP and of the header of every other table, by offset.
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_XSDT 24
#define TABLE_LENGTH 4
#define TABLE_HEADER_SIZE 36

// Fields of the FADT.
#define FADT_SMI_COMMAND 48
#define FADT_ACPI_ENABLE 52
#define FADT_ACPI_DISABLE 53
#define FADT_PM1A_EVENT 56
#define FADT_PM1A_CONTROL 64
#define FADT_PM_TIMER 76
#define FADT_GPE0 80
#define FADT_PM1_EVENT_SIZE 88
#define FADT_PM_TIMER_SIZE 91
#define FADT_GPE0_SIZE 92

// Fields of the MADT and of its entries.
#define MADT_ENTRIES 44
#define ENTRY_LENGTH 1
#define ENTRY_LOCAL_APIC 0
#define ENTRY_LOCAL_APIC_FLAGS 4
#define ENTRY_LOCAL_X2APIC 9
#define ENTRY_LOCAL_X2APIC_FLAGS 8
#define CPU_ENABLED 1

struct acpi_facts acpi;

// Tables are byte-aligned; a packed member is read without assuming more.
static u32 read32(const u8 *at)
{
  u32 value;

  memcpy(&value, at, sizeof value);
  return value;
}

static u64 read64(const u8 *at)
{
  return read32(at) | (u64)read32(at + 4) << 32;
}

static bool sums_to_zero(const u8 *at, u32 size)
{
  u8 sum = 0;

  for (u32 i = 0; i < size; i++)
    sum += at[i];
  return sum == 0;
}

static const u8 *find_rsdp_in(u64 start, u64 end)
{
  for (const u8 *at = (const u8 *)start; at + RSDP_SIZE <= (const u8 *)end; at += RSDP_ALIGNMENT)
    if (memcmp(at, "RSD PTR ", 8) == 0 && sums_to_zero(at, RSDP_SIZE))
      return at;
  return NULL;
}

static const u8 *find_rsdp(void)
{
  u16 segment;
  const u8 *rsdp = NULL;

  memcpy(&segment, (const void *)EBDA_SEGMENT_POINTER, sizeof segment);
  if (segment)
    rsdp = find_rsdp_in(segment << 4, (segment << 4) + EBDA_SEARCHED);
  return rsdp ? rsdp : find_rsdp_in(BIOS_START, BIOS_END);
}

static void read_fadt(const u8 *fadt)
{
  acpi.smi_command = read32(fadt + FADT_SMI_COMMAND);
  acpi.acpi_enable = fadt[FADT_ACPI_ENABLE];
  acpi.acpi_disable = fadt[FADT_ACPI_DISABLE];
  acpi.pm1a_event = read32(fadt + FADT_PM1A_EVENT);
  acpi.pm1a_event_size = fadt[FADT_PM1_EVENT_SIZE];
  acpi.pm1a_control = read32(fadt + FADT_PM1A_CONTROL);
  acpi.pm_timer = read32(fadt + FADT_PM_TIMER);
  acpi.pm_timer_size = acpi.pm_timer ? fadt[FADT_PM_TIMER_SIZE] : 0;
  acpi.gpe0 = read32(fadt + FADT_GPE0);
  acpi.gpe0_size = acpi.gpe0 ? fadt[FADT_GPE0_SIZE] : 0;
}

static void read_madt(const u8 *madt)
{
  const u8 *end = madt + read32(madt + TABLE_LENGTH);

  for (const u8 *entry = madt + MADT_ENTRIES; entry < end && entry[ENTRY_LENGTH] > 0;
       entry += entry[ENTRY_LENGTH]) {
    if (entry[0] == ENTRY_LOCAL_APIC)
      acpi.cpus += read32(entry + ENTRY_LOCAL_APIC_FLAGS) & CPU_ENABLED;
    else if (entry[0] == ENTRY_LOCAL_X2APIC)
      acpi.cpus += read32(entry + ENTRY_LOCAL_X2APIC_FLAGS) & CPU_ENABLED;
  }
}

static void read_table(const u8 *table)
{
  if (memcmp(table, "FACP", 4) == 0)
    read_fadt(table);
  else if (memcmp(table, "APIC", 4) == 0)
    read_madt(table);
}

// Fills acpi. The tables lie in memory that the host maps, which ends at 4 GiB.
void acpi_find(void)
{
  const u8 *rsdp = find_rsdp();
  const u8 *root;
  u32 pointer_size = 4;

  if (!rsdp)
    return;
  root = (const u8 *)(u64)read32(rsdp + RSDP_RSDT);
  if (!root && rsdp[RSDP_REVISION] >= 2) {
    root = (const u8 *)read64(rsdp + RSDP_XSDT);
    pointer_size = 8;
  }
  if (!root || (u64)root >= SIZE_4GIB)
    return;
  for (u32 at = TABLE_HEADER_SIZE; at + pointer_size <= read32(root + TABLE_LENGTH);
       at += pointer_size) {
    u64 address = pointer_size == 8 ? read64(root + at) : read32(root + at);

    if (address < SIZE_4GIB)
      read_table((const u8 *)address);
  }
}
