/** VMLOAD and VMSAVE: the state that VMRUN leaves alone (APM volume 2, section 15.5.2). */

import type { Execution } from "../execution.ts";
import { assignVmcbSegment, canonicalBase, vmcbSegment } from "./guest-state.ts";
import { vmcbOperand } from "./vmcb-operand.ts";
import { VmcbView } from "./vmcb-view.ts";

/** FS, GS, TR and LDTR with their hidden parts, and the MSRs of SYSCALL, SYSENTER and SWAPGS. */
export function vmload(x: Execution): void {
  const { state } = x.cpu;
  const vmcb = new VmcbView(x.cpu.physical, vmcbOperand(x));
  assignVmcbSegment(state.fs, vmcb.read("FS"));
  assignVmcbSegment(state.gs, vmcb.read("GS"));
  assignVmcbSegment(state.tr, vmcb.read("TR"));
  assignVmcbSegment(state.ldtr, vmcb.read("LDTR"));
  state.kernelGsBase = canonicalBase(vmcb.read("KernelGsBase"));
  state.star = vmcb.read("STAR");
  state.lstar = canonicalBase(vmcb.read("LSTAR"));
  state.cstar = canonicalBase(vmcb.read("CSTAR"));
  state.sfmask = vmcb.read("SFMASK");
  state.sysenterCs = vmcb.read("SYSENTER_CS");
  state.sysenterEsp = canonicalBase(vmcb.read("SYSENTER_ESP"));
  state.sysenterEip = canonicalBase(vmcb.read("SYSENTER_EIP"));
  x.cpu.deriveMode();
  x.cpu.observers.emit("vmload", { vmcb: vmcb.address });
}

export function vmsave(x: Execution): void {
  const { state } = x.cpu;
  const vmcb = new VmcbView(x.cpu.physical, vmcbOperand(x));
  vmcb.write("FS", vmcbSegment(state.fs));
  vmcb.write("GS", vmcbSegment(state.gs));
  vmcb.write("TR", vmcbSegment(state.tr));
  vmcb.write("LDTR", vmcbSegment(state.ldtr));
  vmcb.write("KernelGsBase", state.kernelGsBase);
  vmcb.write("STAR", state.star);
  vmcb.write("LSTAR", state.lstar);
  vmcb.write("CSTAR", state.cstar);
  vmcb.write("SFMASK", state.sfmask);
  vmcb.write("SYSENTER_CS", state.sysenterCs);
  vmcb.write("SYSENTER_ESP", state.sysenterEsp);
  vmcb.write("SYSENTER_EIP", state.sysenterEip);
}
