// Starts a Linux bzImage by the 32-bit boot protocol (the kernel's Documentation/x86/boot).

#include "minvisor.h"

// Offsets in the bzImage and, for the setup header, in boot_params alike.
#define E820_COUNT 0x1e8
#define SETUP_HEADER 0x1f1
#define SETUP_SECTORS 0x1f1
#define HEADER_END_JUMP 0x201 // the header ends this byte's value after the next one
#define HEADER_MAGIC 0x202
#define PROTOCOL_VERSION 0x206
#define LOADER_TYPE 0x210
#define LOAD_FLAGS 0x211
#define INITRD_ADDRESS 0x218
#define INITRD_SIZE 0x21c
#define COMMAND_LINE_POINTER 0x228
#define INITRD_ADDRESS_MAX 0x22c
#define COMMAND_LINE_SIZE 0x238
#define PREFERRED_ADDRESS 0x258
#define INIT_SIZE 0x260
#define E820_TABLE 0x2d0
#define BOOT_PARAMS_SIZE 0x1000

#define SECTOR_SIZE 512
#define SETUP_SECTORS_IF_ZERO 4
#define VERSION_WITH_INIT_SIZE 0x020a
#define LOADER_TYPE_UNDEFINED 0xff
#define LOADED_HIGH 1
#define E820_MAX 128

struct __attribute__((packed)) e820_entry {
  u64 start, size;
  u32 type;
};

static u8 *const boot_params = (u8 *)LINUX_BOOT_PARAMS;

static u16 get16(const u8 *at)
{
  u16 value;

  memcpy(&value, at, sizeof value);
  return value;
}

static u32 get32(const u8 *at)
{
  u32 value;

  memcpy(&value, at, sizeof value);
  return value;
}

static void put32(u8 *at, u32 value)
{
  memcpy(at, &value, sizeof value);
}

bool linux_is_kernel(struct range image)
{
  const u8 *kernel = (const u8 *)image.start;

  return image.end - image.start > E820_TABLE && memcmp(kernel + HEADER_MAGIC, "HdrS", 4) == 0;
}

static void add_e820(u64 start, u64 end, u32 type)
{
  u8 *count = boot_params + E820_COUNT;
  struct e820_entry *table = (struct e820_entry *)(boot_params + E820_TABLE);

  if (start >= end)
    return;
  if (*count == E820_MAX)
    panic("the memory map has more than %u areas; Linux's boot_params hold no more", E820_MAX);
  table[(*count)++] = (struct e820_entry){ start, end - start, type };
}

// The machine's memory map with MinVisor's region cut out as reserved.
static void fill_e820(void)
{
  for (u32 i = 0; i < memory_area_count; i++) {
    struct range area = memory_areas[i].range;
    u32 type = memory_areas[i].type;

    if (!ranges_overlap(area, minvisor_region)) {
      add_e820(area.start, area.end, type);
      continue;
    }
    add_e820(area.start, minvisor_region.start, type);
    add_e820(minvisor_region.start, minvisor_region.end, MEMORY_RESERVED);
    add_e820(minvisor_region.end, area.end, type);
  }
}

static void put_command_line(const u8 *kernel, const char *text)
{
  u64 size = strlen(text) + 1;
  u64 room = LINUX_COMMAND_LINE_END - LINUX_COMMAND_LINE;

  if (size > room || size > get32(kernel + COMMAND_LINE_SIZE) + 1ul)
    panic("the kernel's command line has %lu bytes; shorten it to %u at most", size,
          get32(kernel + COMMAND_LINE_SIZE));
  memcpy((void *)LINUX_COMMAND_LINE, text, size);
  put32(boot_params + COMMAND_LINE_POINTER, LINUX_COMMAND_LINE);
}

// The initrd stays where the loader put it.
static void put_initrd(const u8 *kernel, struct range initrd)
{
  u64 kernel_end = get32(kernel + PREFERRED_ADDRESS) + (u64)get32(kernel + INIT_SIZE);

  if (initrd.start == initrd.end)
    return;
  if (initrd.start < kernel_end || initrd.end - 1 > get32(kernel + INITRD_ADDRESS_MAX))
    panic("the initrd at 0x%lx..0x%lx is not between the kernel's end 0x%lx and its limit 0x%x; "
          "have the loader put it there",
          initrd.start, initrd.end, kernel_end, get32(kernel + INITRD_ADDRESS_MAX));
  put32(boot_params + INITRD_ADDRESS, initrd.start);
  put32(boot_params + INITRD_SIZE, initrd.end - initrd.start);
}

// Checks that the kernel, unpacked, stays below MinVisor, and answers where its 32-bit code begins.
static u64 check_kernel(struct range image)
{
  const u8 *kernel = (const u8 *)image.start;
  u32 sectors = kernel[SETUP_SECTORS] ? kernel[SETUP_SECTORS] : SETUP_SECTORS_IF_ZERO;
  u64 setup_size = (sectors + 1) * SECTOR_SIZE;
  u64 end = get32(kernel + PREFERRED_ADDRESS) + (u64)get32(kernel + INIT_SIZE);

  if (get16(kernel + PROTOCOL_VERSION) < VERSION_WITH_INIT_SIZE ||
      !(kernel[LOAD_FLAGS] & LOADED_HIGH))
    panic("module 0 is a kernel of boot protocol 0x%x; give a bzImage of 2.6.35 or later",
          get16(kernel + PROTOCOL_VERSION));
  if (setup_size >= image.end - image.start)
    panic("module 0 ends inside its own setup code, at %lu bytes; the bzImage is truncated",
          image.end - image.start);
  if (end > minvisor_region.start)
    panic("the kernel needs memory up to 0x%lx and MinVisor begins at 0x%lx; give a smaller kernel",
          end, minvisor_region.start);
  return setup_size;
}

// The protocol's GDT: flat code at selector 10h and flat data at 18h.
static void put_gdt(void)
{
  static const u64 gdt[] = { 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };

  memcpy((void *)LINUX_GDT, gdt, sizeof gdt);
}

// Lays out kernel, boot_params, GDT and command line, and points the VMCB at the kernel's entry.
void linux_load(struct range image, const char *command_line, struct range initrd)
{
  const u8 *kernel = (const u8 *)image.start;
  u64 setup_size = check_kernel(image);
  u64 header_end = HEADER_END_JUMP + 1 + kernel[HEADER_END_JUMP];

  memset(boot_params, 0, BOOT_PARAMS_SIZE);
  memcpy(boot_params + SETUP_HEADER, kernel + SETUP_HEADER, header_end - SETUP_HEADER);
  boot_params[LOADER_TYPE] = LOADER_TYPE_UNDEFINED;
  put_command_line(kernel, command_line);
  put_initrd(kernel, initrd);
  fill_e820();
  put_gdt();
  memmove((void *)LINUX_KERNEL, kernel + setup_size, image.end - image.start - setup_size);

  vmcb_enter_protected_mode(LINUX_KERNEL, LINUX_GDT, 4 * sizeof(u64) - 1);
  guest.rsi = LINUX_BOOT_PARAMS;
  log("guest Linux, command line \"%s\"", (const char *)LINUX_COMMAND_LINE);
}
