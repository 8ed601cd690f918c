/** A hypervisor of two instructions on hand-made tables: VMRUN for ever, of a guest that does VMMCALL. */

import { type BootImage, Machine, VmcbView } from "../../emulator/index.ts";
import { setLegalVmcb } from "../emulator/svm/fixture.ts";

/** All that the hypervisor owns lies in its image, but for a page directory that tests may move. */
export const IMAGE = { first: 0x10_0000, bytes: 0x1_0000 };
export const CODE = 0x10_0500;
const HOST_PML4 = 0x10_1000;
const HOST_PDPT = 0x10_2000;
export const VMCB = 0x10_3000;
const HSAVE = 0x10_4000;
export const PML4 = 0x10_5000;
export const PDPT = 0x10_6000;
export const PD = 0x10_7000;
const STACK = 0x10_b800;
/** Not in the image: where a careless hypervisor puts a table. */
export const ELSEWHERE = 0x20_0000;
/** Guest-physical 0, and so the guest's code at 0x20010. */
const GUEST_RAM = 0x40_0000;
export const GUEST_CODE = GUEST_RAM + 0x2_0010;

export const LEAF = 0x87n;
export const TABLE = 0x07n;
/** Instructions of one turn: VMRUN and the jump back (the guest's VMMCALL exits and does not retire). */
export const TURN = 2;

const IMAGE_KNOWN: BootImage = {
  kind: "multiboot",
  name: "small",
  writes: [{ address: IMAGE.first, bytes: new Uint8Array(IMAGE.bytes), what: "small segment 0" }],
  entry: {
    mode: "protected",
    eip: CODE,
    registers: {},
    cs: { selector: 8, base: 0, limit: 0xffff_ffff, attributes: 0xa9b },
    data: { selector: 16, base: 0, limit: 0xffff_ffff, attributes: 0xc93 },
    gdtr: { base: IMAGE.first, limit: 0xf },
  },
  firmware: false,
};

export function setEntry(machine: Machine, address: number, value: bigint): void {
  machine.memory.poke(address, new Uint8Array(new BigUint64Array([value]).buffer));
}

export const vmcbOf = (machine: Machine): VmcbView => new VmcbView(machine.memory, VMCB);

function makeHost(machine: Machine): void {
  const { state, cpu } = machine;
  state.cr0 = 0x8001_0031n;
  state.cr3 = BigInt(HOST_PML4);
  state.cr4 = 0x20n;
  state.efer = 0x1d00n;
  state.rip = BigInt(CODE);
  state.rsp = BigInt(STACK);
  state.rax = BigInt(VMCB);
  state.vmHsavePa = BigInt(HSAVE);
  state.gif = 0;
  cpu.deriveMode();
}

/** At its first VMRUN, in long mode, with 4-level tables: guest-physical 0 to 2 MiB is GUEST_RAM. */
export function smallHypervisor(): Machine {
  const machine = new Machine({ ramBytes: 16 << 20 });
  machine.load(IMAGE_KNOWN);
  const { memory } = machine;
  memory.poke(CODE, Uint8Array.of(0x0f, 0x01, 0xd8, 0xeb, 0xfb));
  memory.poke(GUEST_CODE, Uint8Array.of(0x0f, 0x01, 0xd9));
  setEntry(machine, HOST_PML4, BigInt(HOST_PDPT) | 3n);
  setEntry(machine, HOST_PDPT, 0x83n);
  setEntry(machine, PML4, BigInt(PDPT) | TABLE);
  setEntry(machine, PDPT, BigInt(PD) | TABLE);
  setEntry(machine, PD, BigInt(GUEST_RAM) | LEAF);
  const vmcb = vmcbOf(machine);
  setLegalVmcb(vmcb);
  vmcb.write("INTERCEPT_MISC2", 3);
  vmcb.write("NP_ENABLE", 1n);
  vmcb.write("nCR3", BigInt(PML4));
  makeHost(machine);
  return machine;
}

/** The same with a legacy-PAE host and nested tables: top table of four entries at PML4 + 0x20. */
export function smallPaeHypervisor(): Machine {
  const machine = smallHypervisor();
  const { state, cpu } = machine;
  setEntry(machine, HOST_PML4, BigInt(HOST_PDPT) | 1n);
  for (let i = 0; i < 8; i++) {
    setEntry(machine, HOST_PDPT + 8 * i, BigInt(i * 0x20_0000) | 0x83n);
  }
  setEntry(machine, PML4 + 0x20, BigInt(PD) | 1n);
  vmcbOf(machine).write("nCR3", BigInt(PML4 + 0x20));
  state.efer = 0x1800n;
  state.pdpte0 = BigInt(HOST_PDPT) | 1n;
  state.cs.attributes = 0xc9b;
  cpu.deriveMode();
  return machine;
}
