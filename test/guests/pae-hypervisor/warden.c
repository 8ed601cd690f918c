// A small hypervisor for one guest: a 32-bit host with PAE, in the upper GiB.

#include "warden.h"

#define MSR_EFER 0xc0000080
#define EFER_SVME (1u << 12)
#define MSR_VM_HSAVE_PA 0xc0010117

#define INTERCEPT_CPUID (1u << 18)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_IOIO (1u << 27)
#define INTERCEPT_MSR (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)
#define INTERCEPT_VMRUN 1
#define INTERCEPT_VMMCALL 2

#define REAL_CODE 0x9b
#define REAL_DATA 0x93
#define REAL_LDT 0x82
#define REAL_TSS 0x8b
#define CR0_ET 0x10
#define PAT_AFTER_RESET 0x0007040600070406ull
#define PM1A_CONTROL 0x604
#define POWER_OFF 0x2000

enum boot_word { BOOT_FLAGS, BOOT_MODULES = 5, BOOT_MODULE_LIST };

static struct vmcb ward_vmcb PAGE_ALIGNED;
static u8 host_save[SIZE_4KIB] PAGE_ALIGNED;
static u8 msr_map[2 * SIZE_4KIB] PAGE_ALIGNED;
static struct ward the_ward = { .vmcb = &ward_vmcb };

static inline struct vmcb_segment segment(u32 base, u16 attributes)
{
  return (struct vmcb_segment){ base >> 4, attributes, 0xffff, base };
}

// Real mode at the guest's load address.
static void ward_registers_init(struct vmcb *vmcb)
{
  vmcb->cs = segment(WARD_LOAD_GPA, REAL_CODE);
  vmcb->ss = vmcb->ds = vmcb->es = vmcb->fs = vmcb->gs = segment(0, REAL_DATA);
  vmcb->gdtr = vmcb->idtr = (struct vmcb_segment){ .limit = 0xffff };
  vmcb->ldtr = segment(0, REAL_LDT);
  vmcb->tr = segment(0, REAL_TSS);
  vmcb->efer = EFER_SVME;
  vmcb->cr0 = CR0_ET;
  vmcb->rflags = 2;
  vmcb->dr6 = 0xffff0ff0;
  vmcb->dr7 = 0x400;
  vmcb->g_pat = PAT_AFTER_RESET;
}

static void ward_controls_init(struct vmcb *vmcb)
{
  for (u32 i = 0; i < sizeof msr_map; i++)
    msr_map[i] = 0xff;
  vmcb->intercepts_1 = INTERCEPT_CPUID | INTERCEPT_HLT | INTERCEPT_IOIO | INTERCEPT_MSR |
                       INTERCEPT_SHUTDOWN;
  vmcb->intercepts_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
  vmcb->msrpm_base_pa = HPA(msr_map);
  vmcb->guest_asid = 1;
  vmcb->np_enable = 1;
  vmcb->n_cr3 = nested_init();
  port_map_init(vmcb);
}

// The first module, to where the guest finds it.
static bool load_ward(const u32 *boot_information)
{
  const u32 *module = AT_HPA(boot_information[BOOT_MODULE_LIST]);
  u8 *to = AT_HPA(WARD_LOW_HPA + WARD_LOAD_GPA);

  if (boot_information[BOOT_MODULES] == 0)
    return 0;
  const u8 *from = AT_HPA(module[0]);
  u32 length = module[1] - module[0];
  for (u32 i = 0; i < length; i++)
    to[i] = from[i];
  return 1;
}

void end_machine(void)
{
  drain();
  asm volatile("outw %w0, %w1" : : "a"(POWER_OFF), "d"(PM1A_CONTROL));
  for (;;)
    asm volatile("cli; hlt");
}

void warden_main(const u32 *boot_information)
{
  say("warden: high half\n");
  if (!load_ward(AT_HPA(boot_information))) {
    say("warden: no module to run\n");
    end_machine();
  }
  wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
  wrmsr(MSR_VM_HSAVE_PA, HPA(host_save));
  ward_registers_init(&ward_vmcb);
  ward_controls_init(&ward_vmcb);
  asm volatile("clgi");
  supervise(&the_ward);
  say("warden: end of ");
  say(the_ward.name);
  say("\n");
  end_machine();
}
