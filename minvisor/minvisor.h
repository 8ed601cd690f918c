// Every function and variable that one file of MinVisor offers the others, grouped by file.

#ifndef MINVISOR_H
#define MINVISOR_H

#include "cpu.h"
#include "layout.h"
#include "types.h"
#include "vmcb.h"

#define PRINTF_LIKE(n) __attribute__((format(printf, n, (n) + 1)))

// Pages that the guest must never reach although they are not part of the image: see link.ld.
#define CONTROL_PAGE __attribute__((section(".control"), aligned(SIZE_4KIB)))

// The guest's general registers while the host runs; vmrun.S knows the offsets.
struct guest_registers {
  u64 rbx, rcx, rdx, rsi, rdi, rbp;
  u64 r8, r9, r10, r11, r12, r13, r14, r15;
};

_Static_assert(offsetof(struct guest_registers, r15) == 0x68, "vmrun.S knows this layout");

// A range of physical addresses, the end not included.
struct range {
  u64 start, end;
};

static inline bool ranges_overlap(struct range a, struct range b)
{
  return a.start < b.end && b.start < a.end;
}

// acpi.c
struct acpi_facts {
  u32 cpus; // enabled in the MADT; 0 if there is no MADT
  u16 pm1a_control;
  u16 pm1a_event, pm1a_event_size;
  u16 pm_timer, pm_timer_size;
  u16 gpe0, gpe0_size;
  u16 smi_command;
  u8 acpi_enable, acpi_disable;
};
extern struct acpi_facts acpi;
void acpi_find(void);

// console.c
void console_init(void);
void log(const char *format, ...) PRINTF_LIKE(1);
void panic(const char *format, ...) PRINTF_LIKE(1) __attribute__((noreturn));

// counts.c
enum verdict { PASSED, MEDIATED, REFUSED };
void count_exit(const char *name);
void count_cpuid(u32 leaf);
void count_msr(u32 msr, bool is_write, enum verdict verdict);
void count_port(u16 port, bool is_in, enum verdict verdict);
void log_counts(void);

// end.c
void report_end(const char *reason);
void wait_for_end(const char *reason);
void end_machine(u8 status) __attribute__((noreturn));

// event.c
void inject_exception(u8 vector, bool has_error_code);
void inject_page_fault(u64 address, u32 error_code);
void reinject_interrupted_event(void);
void advance_rip(u64 length);
void set_rip(u64 rip);

// exit.c
extern struct guest_registers guest;
void run_guest(void) __attribute__((noreturn));

// exit_ioio.c
struct port_access {
  u16 port;
  u32 size;
  bool is_in;
};
u32 port_read(struct port_access access, enum verdict verdict);
void port_write(struct port_access access, enum verdict verdict, u32 value);

// exit_string_io.c
void string_io(struct port_access access, enum verdict verdict);

// exit_*.c
void exit_cpuid(void);
void exit_hlt(void);
void exit_init(void);
void exit_intr(void);
void exit_invalid(void);
void exit_invd(void);
void exit_ioio(void);
void exit_msr(void);
void exit_npf(void);
void exit_shutdown(void);
void exit_svm_instruction(void);
void exit_vintr(void);
void exit_vmmcall(void);

// flat_guest.c
void flat_guest_load(struct range image);

// guest_memory.c
#define GUEST_BYTES_MAX 4
struct guest_bytes {
  u8 *at[GUEST_BYTES_MAX];
  u32 size;
};
bool guest_linear(const struct segment *segment, u64 offset, u32 size, u64 *linear);
bool guest_find(u64 linear, u32 size, bool is_write, struct guest_bytes *bytes);
u32 guest_get(const struct guest_bytes *bytes);
void guest_put(const struct guest_bytes *bytes, u32 value);

// interrupt.S
void take_interrupt(void);
void wait_for_interrupt(void);
extern u8 interrupt_stubs[];

// interrupts.c
void interrupts_init(void);
struct interrupt_frame {
  u64 error_code; // 0 for vectors without one
  u64 rip, cs, rflags, rsp, ss;
};
void host_interrupt(u64 vector, struct interrupt_frame *frame);
void forward_interrupt(void);
void sleep_for_guest(void);

// io_map.c
extern u8 io_map[];
void io_map_init(void);
bool io_map_allows(u16 port, u32 size);

// linux.c
bool linux_is_kernel(struct range image);
void linux_load(struct range image, const char *command_line, struct range initrd);

// main.c
extern const struct range minvisor_region;

// memory.c
void *memcpy(void *to, const void *from, u64 size);
void *memmove(void *to, const void *from, u64 size);
void *memset(void *to, int value, u64 size);
int memcmp(const void *a, const void *b, u64 size);
u64 strlen(const char *text);

// msr_access.S
bool read_msr(u32 msr, u64 *value);
bool write_msr(u32 msr, u64 value);
extern u8 read_msr_instruction[], write_msr_instruction[], msr_access_fault[];

// msr_map.c
extern u8 msr_map[];
void msr_map_init(void);
bool msr_map_allows(u32 msr, bool is_write);

// multiboot.c
struct module {
  struct range image;
  const char *text;
};
struct memory_area {
  struct range range;
  u32 type;
};
#define MEMORY_USABLE 1
#define MEMORY_RESERVED 2
extern struct module modules[];
extern u32 module_count;
extern struct memory_area memory_areas[];
extern u32 memory_area_count;
void multiboot_read(u32 magic, const void *information);
extern const char *multiboot_command_line;
u64 guest_memory_end(void);
const char *skip_word(const char *text);

// nested_pages.c
u64 nested_pages_build(struct range protected, u64 limit);

// options.c
struct options {
  bool intercept_io, intercept_msr, intercept_hlt, intercept_intr;
};
extern struct options options;
void options_read(const char *command_line);

// vmcb.c
extern struct vmcb vmcb;
extern u8 host_save_area[];
void vmcb_init(u64 nested_cr3);
void vmcb_enter_real_mode(u16 ip, u16 sp);
void vmcb_enter_protected_mode(u32 eip, u32 gdt_base, u16 gdt_limit);

// vmrun.S
void vmrun(u64 vmcb_address, struct guest_registers *registers);

#endif
