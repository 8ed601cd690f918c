// Brings MinVisor up, loads the guest that the modules hold, and runs it for ever.

#include "minvisor.h"

#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_SVM_FEATURES 0x8000000a
#define FEATURE_ECX_SVM (1u << 2)
#define SVM_FEATURE_EDX_NP (1u << 0)

const struct range minvisor_region = { MINVISOR_START, MINVISOR_END };

// APM volume 2, section 15.4: SVM must be there and not disabled by the firmware.
static void enable_svm(void)
{
  if (!(cpuid(CPUID_EXTENDED_FEATURES, 0).ecx & FEATURE_ECX_SVM) ||
      cpuid(CPUID_EXTENDED_MAX, 0).eax < CPUID_SVM_FEATURES)
    panic("this CPU has no SVM; run MinVisor on an AMD CPU or a machine that emulates one");
  if (!(cpuid(CPUID_SVM_FEATURES, 0).edx & SVM_FEATURE_EDX_NP))
    panic("this CPU's SVM has no nested paging; MinVisor cannot protect itself without it");
  if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
    panic("VM_CR says that SVM is disabled; enable it in the firmware's set-up");
  wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
  wrmsr(MSR_VM_HSAVE_PA, (u64)host_save_area);
}

// A second CPU would start outside guest mode on the guest's INIT and SIPI, and reach everything.
static void require_one_cpu(void)
{
  if (acpi.cpus > 1)
    panic("the machine has %u CPUs and MinVisor protects itself on one only; start it with one",
          acpi.cpus);
  if (acpi.cpus == 0)
    log("no MADT: taking it that the machine has one CPU");
  if (!acpi.pm1a_control)
    log("no FADT: a power-off by the guest will not be seen");
}

// Module 0 is the guest: a Linux bzImage, with an initrd as module 1, or a flat real-mode image.
static void load_guest(void)
{
  struct range initrd = { 0, 0 };

  if (module_count == 0)
    panic("the loader passed no module; pass a bzImage or a flat image as module 0");
  if (!linux_is_kernel(modules[0].image)) {
    options = (struct options){ true, true, true, true };
    flat_guest_load(modules[0].image);
    return;
  }
  if (module_count > 1)
    initrd = modules[1].image;
  linux_load(modules[0].image, skip_word(modules[0].text), initrd);
}

void minvisor_main(u32 magic, const void *information);
void minvisor_main(u32 magic, const void *information)
{
  u64 nested_cr3;

  console_init();
  log("MinVisor at 0x%lx..0x%lx", minvisor_region.start, minvisor_region.end);
  interrupts_init();
  multiboot_read(magic, information);
  options_read(multiboot_command_line);
  acpi_find();
  require_one_cpu();
  enable_svm();
  clgi();
  sti();

  nested_cr3 = nested_pages_build(minvisor_region, guest_memory_end());
  vmcb_init(nested_cr3);
  load_guest();
  io_map_init();
  msr_map_init();
  run_guest();
}
