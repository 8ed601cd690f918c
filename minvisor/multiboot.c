// What the multiboot loader left: command line, modules and memory map (Multiboot 0.6.96, 3.3).

#include "minvisor.h"

#define MULTIBOOT_LOADER_MAGIC 0x2badb002
#define INFO_COMMAND_LINE (1 << 2)
#define INFO_MODULES (1 << 3)
#define INFO_MEMORY_MAP (1 << 6)

#define MODULES_MAX 8
#define MEMORY_AREAS_MAX 64

struct multiboot_information {
  u32 flags;
  u32 mem_lower, mem_upper;
  u32 boot_device;
  u32 command_line;
  u32 modules_count, modules_address;
  u32 symbols[4];
  u32 mmap_length, mmap_address;
};

struct multiboot_module {
  u32 start, end, text, reserved;
};

struct __attribute__((packed)) multiboot_mmap_entry {
  u32 size; // of what follows
  u64 start, length;
  u32 type;
};

struct module modules[MODULES_MAX];
u32 module_count;
struct memory_area memory_areas[MEMORY_AREAS_MAX];
u32 memory_area_count;
const char *multiboot_command_line = "";

static void read_modules(const struct multiboot_information *information)
{
  const struct multiboot_module *module = (void *)(u64)information->modules_address;

  if (information->modules_count > MODULES_MAX)
    panic("the loader passed %u modules and MinVisor knows %u; pass a kernel and an initrd",
          information->modules_count, MODULES_MAX);
  for (; module_count < information->modules_count; module_count++, module++) {
    struct range image = { module->start, module->end };

    if (ranges_overlap(image, minvisor_region))
      panic("module %u at 0x%lx..0x%lx overlaps MinVisor at 0x%lx..0x%lx; the loader must honour "
            "the bss end of the multiboot header",
            module_count, image.start, image.end, minvisor_region.start,
            minvisor_region.end);
    modules[module_count].image = image;
    modules[module_count].text = module->text ? (const char *)(u64)module->text : "";
  }
}

static void read_memory_map(const struct multiboot_information *information)
{
  u64 address = information->mmap_address;
  u64 end = address + information->mmap_length;

  while (address < end && memory_area_count < MEMORY_AREAS_MAX) {
    const struct multiboot_mmap_entry *entry = (void *)address;

    memory_areas[memory_area_count++] =
        (struct memory_area){ { entry->start, entry->start + entry->length }, entry->type };
    address += entry->size + sizeof entry->size;
  }
}

// Whether RAM holds the whole region: MinVisor already runs from its start, but the loader may not
// have checked its end.
static bool region_is_usable(void)
{
  for (u32 i = 0; i < memory_area_count; i++) {
    const struct memory_area *area = &memory_areas[i];

    if (area->type == MEMORY_USABLE && area->range.start <= minvisor_region.start &&
        area->range.end >= minvisor_region.end)
      return true;
  }
  return false;
}

// Fills modules, memory_areas and the command line. What these point to lies outside MinVisor's
// region: it may be used until the guest is loaded.
void multiboot_read(u32 magic, const void *address)
{
  const struct multiboot_information *information = address;

  if (magic != MULTIBOOT_LOADER_MAGIC)
    panic("eax is 0x%x at entry, not the multiboot magic 0x%x; start MinVisor from a multiboot "
          "loader",
          magic, MULTIBOOT_LOADER_MAGIC);
  if (!(information->flags & INFO_MEMORY_MAP))
    panic("the multiboot loader passed no memory map; use a loader that does");
  if (information->flags & INFO_COMMAND_LINE)
    multiboot_command_line = (const char *)(u64)information->command_line;
  if (information->flags & INFO_MODULES)
    read_modules(information);
  read_memory_map(information);
  if (!region_is_usable())
    panic("RAM does not hold MinVisor's region 0x%lx..0x%lx; give the machine 512 MiB or more",
          minvisor_region.start, minvisor_region.end);
}

// The end of guest-physical memory that is worth mapping: all RAM, and 4 GiB for devices.
u64 guest_memory_end(void)
{
  u64 end = SIZE_4GIB;

  for (u32 i = 0; i < memory_area_count; i++)
    if (memory_areas[i].type == MEMORY_USABLE && memory_areas[i].range.end > end)
      end = memory_areas[i].range.end;
  return (end + SIZE_2MIB - 1) & ~(SIZE_2MIB - 1ul);
}

// The text after its first word and the blanks behind that.
const char *skip_word(const char *text)
{
  while (*text && *text != ' ')
    text++;
  while (*text == ' ')
    text++;
  return text;
}
