// Every address that MinVisor chooses, for C and assembly alike.
//
// Physical memory, drawn to no scale:
//
//   0x00007c00  a flat guest starts here, in real mode
//   0x00090000  Linux boot_params, GDT and command line (linux.c); the guest may reuse them
//   0x00100000  the Linux kernel's 32-bit entry point
//   0x10000000  MINVISOR_START: image, host page tables, stack     \  one region, aligned and
//   0x10200000  CONTROL_START: VMCB, host save area, MSR and I/O    > sized in 2 MiB, absent
//               maps, nested page tables                           /  from the nested tables
//   0x10400000  MINVISOR_END: boot modules follow; from here on the guest's again
//
// The region lies at 256 MiB: above Linux's decompression buffer, and inside 512 MiB of RAM.

#ifndef LAYOUT_H
#define LAYOUT_H

#define SIZE_4KIB 0x1000
#define SIZE_2MIB 0x200000
#define SIZE_1GIB 0x40000000
#define SIZE_4GIB 0x100000000

#define MINVISOR_START 0x10000000
#define CONTROL_START 0x10200000
#define MINVISOR_END 0x10400000

#define STACK_SIZE 0x4000

// Guest-physical memory is mapped one to one from 0 to at most this many GiB.
#define NESTED_GIB_MAX 64

#define FLAT_GUEST_START 0x7c00
#define FLAT_GUEST_END 0x90000
#define FLAT_GUEST_STACK 0x7000

#define LINUX_BOOT_PARAMS 0x90000
#define LINUX_GDT 0x91000
#define LINUX_COMMAND_LINE 0x92000
#define LINUX_COMMAND_LINE_END 0x93000
#define LINUX_KERNEL 0x100000

// Selectors of the host's GDT (boot.S).
#define HOST_CS 0x08
#define HOST_DS 0x10

// Ports of the PC that MinVisor itself uses.
#define PORT_COM2 0x2f8
#define PORT_DEBUG_EXIT 0xf4

// What MinVisor writes to the debug-exit port where the machine ends without the guest's consent;
// QEMU and our machine then exit with status 2 * value + 1.
#define END_PANIC 0x10
#define END_SHUTDOWN 0x11
#define END_INIT 0x12
#define END_HALTED 0x13

#endif
