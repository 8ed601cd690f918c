// Where things lie, in physical memory and in the two high halves; C, assembly and linker scripts read it.

#ifndef LAYOUT_H
#define LAYOUT_H

// The hypervisor is loaded at 1 MiB, linked for the top GiB, and maps physical memory there.
#define LOAD_ADDRESS 0x100000
#define HIGH_HALF 0xc0000000

// The guest's physical memory, seen by the guest as two pieces with a hole between.
#define WARD_LOW_HPA 0x1000000  // gpa [0, 2 MiB), one large page
#define WARD_SMALL_HPA 0x1200000 // gpa [2 MiB, 4 MiB), small pages
#define WARD_SMALL_GPA 0x200000
#define WARD_LATE_GPA 0x3ff000  // a small page that is mapped at its first use
#define WARD_CONST_GPA 0x201000 // a small page that is never writable
#define WARD_HOLE_GPA 0x800000  // nothing is ever mapped from here on

// The guest is loaded at 64 KiB, linked for its own high half.
#define WARD_LOAD_GPA 0x10000
#define WARD_HIGH_HALF 0x80000000

#define SIZE_4KIB 0x1000
#define SIZE_2MIB 0x200000

// Numbers that the guest passes in EAX with VMMCALL.
#define CALL_SUM 1  // EBX + ECX
#define CALL_NAME 2 // the guest introduces itself with the text at gpa EBX
#define CALL_END 3  // ends the machine

#define PORT_SCRATCH 0x80 // the hypervisor keeps what is written there
#define PORT_CLOCK 0x3f0  // reads a count that the hypervisor makes up

#endif
