/** The guest's registers between the CPU and a VMCB's save area (APM volume 2, sections 15.5.1 and 15.6). */

import type { Segment } from "../state/cpu-state.ts";
import { flagMask, getRflags, setRflags } from "../state/flags.ts";
import { Attribute } from "../system/descriptors.ts";
import { CR0, EFER, is64Bit } from "../system/mode.ts";
import type { Vcpu } from "../vcpu.ts";
import { loadPdptes } from "./pdptes.ts";
import type { VmcbSegment, VmcbView } from "./vmcb-view.ts";

const VM_FLAG = flagMask("VM");
const ATTRIBUTES = 0xfff;
const DPL = 3 << 5;
/** Bits of CR0 that exist; ET is always 1 (section 3.1.1). */
const CR0_BITS = Object.values(CR0).reduce((all, b) => all | b, 0n);
const LOW_HALF = 0xffff_ffffn;

/** A base is made canonical, not refused. */
export const canonicalBase = (base: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(48, base));

/** Copies a segment of the VMCB into a register, with the given attributes. */
export function assignVmcbSegment(
  register: Segment,
  value: VmcbSegment,
  attributes = value.attributes & ATTRIBUTES,
): void {
  register.selector = value.selector;
  register.attributes = attributes;
  register.limit = value.limit;
  register.base = canonicalBase(value.base);
}

/** A segment register as plain data for the VMCB. */
export const vmcbSegment = (s: Readonly<Segment>): VmcbSegment => ({
  selector: s.selector,
  attributes: s.attributes,
  limit: s.limit,
  base: s.base,
});

/** GDTR and IDTR: only base and a 16-bit limit count. */
export function assignTable(register: Segment, value: VmcbSegment): void {
  register.base = canonicalBase(value.base);
  register.limit = value.limit & 0xffff;
}

export const vmcbTable = (s: Readonly<Segment>): VmcbSegment => ({
  selector: 0,
  attributes: 0,
  limit: s.limit,
  base: s.base,
});

/**
 * ES, CS, SS and DS. Of CS the type is not looked at (it is code, present), and SS's DPL is CPL;
 * without descriptors (real and virtual-8086 mode) all four are present.
 */
function loadSegments(cpu: Vcpu, vmcb: VmcbView, realSegments: boolean): void {
  const { state } = cpu;
  const always = realSegments ? Attribute.present | Attribute.user : 0;
  for (const [register, name] of [
    [state.es, "ES"],
    [state.ds, "DS"],
  ] as const) {
    const value = vmcb.read(name);
    assignVmcbSegment(register, value, (value.attributes & ATTRIBUTES) | always);
  }
  const cs = vmcb.read("CS");
  const code = Attribute.present | Attribute.user | (realSegments ? 0 : Attribute.code);
  assignVmcbSegment(state.cs, cs, (cs.attributes & ATTRIBUTES) | code);
  const ss = vmcb.read("SS");
  const ssAttributes = (ss.attributes & ATTRIBUTES & ~DPL) | (state.cpl << 5) | always;
  assignVmcbSegment(state.ss, ss, ssAttributes);
  assignTable(state.gdtr, vmcb.read("GDTR"));
  assignTable(state.idtr, vmcb.read("IDTR"));
}

/** Loads what VMRUN loads. `state.nestedPaging` is the new guest's already. */
export function loadGuestState(cpu: Vcpu, vmcb: VmcbView): void {
  const { state } = cpu;
  state.cr0 = (vmcb.read("CR0") & CR0_BITS) | CR0.ET;
  state.cr2 = vmcb.read("CR2");
  state.cr3 = vmcb.read("CR3");
  state.cr4 = vmcb.read("CR4");
  const paging = (state.cr0 & CR0.PG) !== 0n;
  const efer = vmcb.read("EFER") & ~0xfen & ~EFER.LMA;
  state.efer = paging && (efer & EFER.LME) !== 0n ? efer | EFER.LMA : efer;
  if (state.nestedPaging === 0) loadPdptes(cpu);
  else state.pat = vmcb.read("G_PAT");
  state.dr6 = vmcb.read("DR6") & LOW_HALF;
  state.dr7 = (vmcb.read("DR7") & LOW_HALF) | 0x400n;
  const rflags = vmcb.read("RFLAGS");
  setRflags(state, rflags);
  state.rsp = vmcb.read("RSP");
  state.rax = vmcb.read("RAX");
  const real = (state.cr0 & CR0.PE) === 0n;
  const virtual8086 = !real && (rflags & VM_FLAG) !== 0n && (state.efer & EFER.LMA) === 0n;
  // CPL is forced where the mode decides it, whatever the VMCB says.
  state.cpl = real ? 0 : virtual8086 ? 3 : vmcb.read("CPL") & 3;
  loadSegments(cpu, vmcb, real || virtual8086);
  const rip = vmcb.read("RIP");
  state.rip = is64Bit(state) ? rip : rip & LOW_HALF;
}

/** Saves what #VMEXIT saves. */
export function saveGuestState(cpu: Vcpu, vmcb: VmcbView): void {
  const { state } = cpu;
  vmcb.write("ES", vmcbSegment(state.es));
  vmcb.write("CS", vmcbSegment(state.cs));
  const ssAttributes = (state.ss.attributes & ~DPL) | (state.cpl << 5);
  vmcb.write("SS", { ...vmcbSegment(state.ss), attributes: ssAttributes });
  vmcb.write("DS", vmcbSegment(state.ds));
  vmcb.write("GDTR", vmcbTable(state.gdtr));
  vmcb.write("IDTR", vmcbTable(state.idtr));
  vmcb.write("CPL", state.cpl);
  vmcb.write("EFER", state.efer);
  vmcb.write("CR4", state.cr4);
  vmcb.write("CR3", state.cr3);
  vmcb.write("CR0", state.cr0);
  vmcb.write("CR2", state.cr2);
  vmcb.write("DR7", state.dr7);
  vmcb.write("DR6", state.dr6);
  vmcb.write("RFLAGS", getRflags(state));
  vmcb.write("RIP", state.rip);
  vmcb.write("RSP", state.rsp);
  vmcb.write("RAX", state.rax);
  if (state.nestedPaging !== 0) vmcb.write("G_PAT", state.pat);
}
