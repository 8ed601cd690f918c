/** The host's registers between the CPU and the page at VM_HSAVE_PA (APM volume 2, sections 15.5.1 and 15.6). */

import { flagMask, getRflags, setRflags } from "../state/flags.ts";
import { Attribute } from "../system/descriptors.ts";
import { CR0, CR4, EFER } from "../system/mode.ts";
import type { Vcpu } from "../vcpu.ts";
import { assignTable, assignVmcbSegment, vmcbSegment, vmcbTable } from "./guest-state.ts";
import { loadPdptes } from "./pdptes.ts";
import { VmcbView } from "./vmcb-view.ts";

const VM_FLAG = flagMask("VM");
const DPL = 3 << 5;

/** The host save area. Its layout is this machine's own choice: that of a VMCB's save area. */
function hostSaveArea(cpu: Vcpu): VmcbView {
  return VmcbView.ofWorldSwitch(cpu.physical, Number(cpu.state.vmHsavePa));
}

/** Saves the host as it is to go on at `nextRip`, the instruction after VMRUN. */
export function saveHostState(cpu: Vcpu, nextRip: bigint): void {
  const { state } = cpu;
  const area = hostSaveArea(cpu);
  area.write("ES", vmcbSegment(state.es));
  area.write("CS", vmcbSegment(state.cs));
  area.write("SS", vmcbSegment(state.ss));
  area.write("DS", vmcbSegment(state.ds));
  area.write("GDTR", vmcbTable(state.gdtr));
  area.write("IDTR", vmcbTable(state.idtr));
  area.write("EFER", state.efer);
  area.write("CR0", state.cr0);
  area.write("CR4", state.cr4);
  area.write("CR3", state.cr3);
  area.write("RFLAGS", getRflags(state));
  area.write("RIP", nextRip);
  area.write("RSP", state.rsp);
  area.write("RAX", state.rax);
  area.write("G_PAT", state.pat);
}

/** Why the CPU cannot run with the host state that it just loaded, if it cannot. */
function hostStateProblem(cpu: Vcpu): string | undefined {
  const { cr0, cr4, efer, cs } = cpu.state;
  if ((efer & EFER.SVME) === 0n) return "EFER.SVME is 0";
  if ((cr0 & (CR0.CD | CR0.NW)) === CR0.NW) return "CR0.CD is 0 and CR0.NW is 1";
  if (cr0 >> 32n !== 0n) return "CR0[63:32] is not 0";
  const long = (efer & EFER.LME) !== 0n && (cr0 & CR0.PG) !== 0n;
  if (long && (cr4 & CR4.PAE) === 0n) return "EFER.LME and CR0.PG are set and CR4.PAE is 0";
  const both = Attribute.long | Attribute.big;
  if (long && (cs.attributes & both) === both) return "CS.L and CS.D are both set";
  if (!loadPdptes(cpu)) return "a page-directory-pointer entry has a reserved bit set";
  return undefined;
}

/**
 * Loads the host: CR0.PE, CPL 0, RFLAGS.VM 0 and DR7 400h are forced, whatever was saved. Returns
 * why the state is illegal (the CPU then shuts down, section 15.6), or undefined.
 */
export function loadHostState(cpu: Vcpu): string | undefined {
  const { state } = cpu;
  const area = hostSaveArea(cpu);
  state.efer = area.read("EFER");
  state.cr0 = area.read("CR0") | CR0.PE;
  state.cr3 = area.read("CR3");
  state.cr4 = area.read("CR4");
  state.cpl = 0;
  assignVmcbSegment(state.es, area.read("ES"));
  assignVmcbSegment(state.cs, area.read("CS"));
  assignVmcbSegment(state.ss, area.read("SS"));
  state.ss.attributes &= ~DPL;
  assignVmcbSegment(state.ds, area.read("DS"));
  assignTable(state.gdtr, area.read("GDTR"));
  assignTable(state.idtr, area.read("IDTR"));
  setRflags(state, area.read("RFLAGS") & ~VM_FLAG);
  state.rip = area.read("RIP");
  state.rsp = area.read("RSP");
  state.rax = area.read("RAX");
  state.pat = area.read("G_PAT");
  state.dr7 = 0x400n;
  return hostStateProblem(cpu);
}
