/** Switching the last-branch record between host and guest (APM volume 2, section 15.23). */

import type { CpuState } from "../state/cpu-state.ts";
import type { VmcbView } from "./vmcb-view.ts";

export const lbrVirtualized = (vmcb: VmcbView): boolean => (vmcb.read("VIRT_EXT") & 1n) !== 0n;

/** Saves DBGCTL and the four records in a save area: the guest's, or the host's. */
export function saveLastBranch(state: CpuState, area: VmcbView): void {
  area.write("DBGCTL", state.debugCtl);
  area.write("BR_FROM", state.lastBranchFrom);
  area.write("BR_TO", state.lastBranchTo);
  area.write("LASTEXCPFROM", state.lastExceptionFrom);
  area.write("LASTEXCPTO", state.lastExceptionTo);
}

export function loadLastBranch(state: CpuState, area: VmcbView): void {
  state.debugCtl = area.read("DBGCTL");
  state.lastBranchFrom = area.read("BR_FROM");
  state.lastBranchTo = area.read("BR_TO");
  state.lastExceptionFrom = area.read("LASTEXCPFROM");
  state.lastExceptionTo = area.read("LASTEXCPTO");
}
