/** A sound little hypervisor, and for each shipped invariant the fault that breaks it. */
import type { Machine } from "../../emulator/index.ts";
import * as small from "./small-hypervisor.ts";

const MSR_MAP = 0x10_c000;
const IO_MAP = 0x10_8000;
const SVM_INSTRUCTIONS = 0x7f;
const CPUID = 1 << 18;
const IOIO = 1 << 27;
const MSR = 1 << 28;
const SHUTDOWN = 1 << 31;
const HSAVE = 0x10_4000;
const HSAVE_WRITE = { index: 0xc001_0117, write: true, before: BigInt(HSAVE) };
const SECOND_VMCB = 0x10_f000;

/** Intercepts what the invariants ask for; its guest does CPUID for ever. */
export function soundHypervisor(): Machine {
  const machine = small.smallHypervisor();
  const vmcb = small.vmcbOf(machine);
  vmcb.write("INTERCEPT_MISC1", CPUID | IOIO | MSR | SHUTDOWN);
  vmcb.write("INTERCEPT_MISC2", SVM_INSTRUCTIONS);
  vmcb.write("MSRPM_BASE_PA", BigInt(MSR_MAP));
  vmcb.write("IOPM_BASE_PA", BigInt(IO_MAP));
  machine.memory.poke(MSR_MAP, new Uint8Array(0x2000).fill(0xff));
  machine.memory.poke(small.GUEST_CODE, Uint8Array.of(0x0f, 0xa2));
  return machine;
}

export interface Break {
  /** At reset, before the first VMRUN. */
  readonly atReset?: (machine: Machine) => void;
  /** In the guest, before its first exit. */
  readonly inGuest?: (machine: Machine) => void;
  /** In the host, after its first exit. */
  readonly atExit?: (machine: Machine) => void;
  /** Others that the same fault violates. */
  readonly also?: readonly string[];
}

const vmcb = small.vmcbOf;
const setMisc2 = (value: number) => (machine: Machine) =>
  vmcb(machine).write("INTERCEPT_MISC2", value);
const OUTSIDE = 0x60_0000;

/** What breaks each invariant, and it alone unless said. */
export const BREAKS: { readonly [name: string]: Break } = {
  npt_protects_hypervisor: {
    atReset: (m) => small.setEntry(m, small.PD + 8 * 3, small.LEAF),
  },
  npt_tables_in_hypervisor: {
    atReset: (m) => {
      small.setEntry(m, small.PDPT, BigInt(small.ELSEWHERE) | small.TABLE);
      small.setEntry(m, small.ELSEWHERE, 0x40_0000n | small.LEAF);
    },
  },
  vmcb_well_formed: {
    atReset: (m) => vmcb(m).write("GUEST_ASID", 0),
    also: ["vmrun_is_accepted"],
  },
  control_pages_in_hypervisor: {
    atReset: (m) => {
      m.state.vmHsavePa = BigInt(OUTSIDE);
    },
  },
  host_tables_in_hypervisor: {
    atReset: (m) => {
      m.state.gdtr.base = BigInt(OUTSIDE);
    },
  },
  permission_maps_in_hypervisor: {
    atReset: (m) => vmcb(m).write("IOPM_BASE_PA", BigInt(OUTSIDE)),
  },
  control_pages_apart: {
    // The I/O map's third page is the stack.
    atReset: (m) => vmcb(m).write("IOPM_BASE_PA", BigInt(IO_MAP + 0x1000)),
  },
  ports_and_shutdown_are_intercepted: {
    atReset: (m) => vmcb(m).write("INTERCEPT_MISC1", CPUID | IOIO | MSR),
  },
  tlb_is_fresh: {
    // The guest's RAM becomes read-only.
    atExit: (m) => small.setEntry(m, small.PD, 0x40_0000n | (small.LEAF & ~2n)),
  },
  guest_registers_are_legal: {
    atReset: (m) => vmcb(m).write("DR7", 1n << 32n),
    also: ["vmrun_is_accepted"],
  },
  npt_entries_well_formed: {
    atReset: (m) => small.setEntry(m, small.PD + 8 * 3, (1n << 51n) | 0xa0_0087n),
  },
  nested_paging_is_live: {
    atReset: (m) => {
      vmcb(m).write("NP_ENABLE", 0n);
      m.memory.poke(0x2_0010, Uint8Array.of(0x0f, 0xa2));
    },
    also: ["vmcb_well_formed"],
  },
  npt_tables_are_used_once: {
    // The directory of the first GiB is that of the third, too.
    atReset: (m) => small.setEntry(m, small.PDPT + 8 * 2, BigInt(small.PD) | small.TABLE),
  },
  vmrun_is_accepted: {
    atReset: (m) => vmcb(m).write("EVENTINJ", (1n << 31n) | (1n << 8n)),
    also: ["injected_events_are_legal"],
  },
  svm_instructions_are_intercepted: { atReset: setMisc2(SVM_INSTRUCTIONS & ~(1 << 2)) },
  host_msrs_are_intercepted: {
    // The byte of VM_CR to VM_HSAVE_PA.
    atReset: (m) => m.memory.poke(MSR_MAP + 0x1000 + 0x45, Uint8Array.of(0)),
  },
  save_area_is_the_hosts: {
    inGuest: (m) => m.observers.emit("msr", { ...HSAVE_WRITE, value: BigInt(HSAVE), guest: true }),
  },
  // The host's own: the guest's is above.
  save_area_stays: {
    atExit: (m) => {
      m.state.vmHsavePa = 0x10_f000n;
      m.observers.emit("msr", { ...HSAVE_WRITE, value: 0x10_f000n, guest: false });
    },
  },
  save_area_is_vmruns: { atExit: (m) => m.memory.write(HSAVE + 0x578, 8, 0n) },
  // UD2 behind the VMRUN.
  host_does_not_fault: { atReset: (m) => m.memory.poke(small.CODE + 3, Uint8Array.of(0x0f, 0x0b)) },
  asids_are_unique: {
    atExit: (m) => {
      // The same tables at another root, run by another VMCB, are another guest.
      small.setEntry(m, 0x10_e000, BigInt(small.PDPT) | small.TABLE);
      m.memory.poke(SECOND_VMCB, m.memory.peek(small.VMCB, 4096).slice());
      small.setEntry(m, SECOND_VMCB + 0xb0, 0x10_e000n);
      m.state.rax = BigInt(SECOND_VMCB);
    },
  },
  clean_bits_are_true: {
    atExit: (m) => {
      vmcb(m).write("VMCB_CLEAN", 1 << 5);
      vmcb(m).write("CR4", vmcb(m).read("CR4") ^ 4n);
    },
  },
  injected_events_are_legal: {
    atReset: (m) => vmcb(m).write("EVENTINJ", (1n << 31n) | (3n << 8n) | 2n),
    also: ["vmrun_is_accepted"],
  },
  guest_keeps_svme: {
    atReset: (m) => vmcb(m).write("EFER", 0n),
    also: ["vmrun_is_accepted"],
  },
  host_is_restored: {
    // RSP in the save area.
    inGuest: (m) => small.setEntry(m, HSAVE + 0x5d8, 0x10_b400n),
  },
  cpuid_changes_four_registers: {
    atExit: (m) => {
      m.state.rbp = 0x1234n;
    },
  },
  no_stray_virtualisation: { atReset: (m) => vmcb(m).write("VIRT_EXT", 2n) },
};

/** Three turns of VMRUN and exit, with the fault put in where it belongs; `attach` comes at reset. */
export function runWith(
  { atReset, inGuest, atExit }: Break,
  attach: (machine: Machine) => void,
): Machine {
  const machine = soundHypervisor();
  atReset?.(machine);
  attach(machine);
  machine.run({ instructions: 1 });
  inGuest?.(machine);
  machine.run({ instructions: 1 });
  atExit?.(machine);
  machine.run({ instructions: 2 * small.TURN });
  return machine;
}
