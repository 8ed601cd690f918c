/** VMRUN in its steps (APM volume 2, section 15.5). */

import type { Execution } from "../execution.ts";
import { getFlag } from "../state/flags.ts";
import { flushAsTold, loadControls } from "./control-area.ts";
import { loadGuestState } from "./guest-state.ts";
import { saveHostState } from "./host-state.ts";
import { injectEvent } from "./inject.ts";
import { lbrVirtualized, loadLastBranch, saveLastBranch } from "./last-branch.ts";
import { vmcbOperand } from "./vmcb-operand.ts";
import { VmcbView } from "./vmcb-view.ts";
import { performInvalidExit } from "./vmexit.ts";
import { checkView, failedCheck } from "./vmrun-checks.ts";

/**
 * Enters the guest of the VMCB at rAX, or comes back at once with VMEXIT_INVALID. The instruction
 * retires either way: what follows it is the guest's first instruction, the handler of the injected
 * event, or the host's next instruction.
 */
export function vmrun(x: Execution): void {
  const { cpu } = x;
  const { state } = cpu;
  const address = vmcbOperand(x);
  cpu.observers.emit("vmrunStart", { vmcb: address, rip: state.rip });
  state.vmcbAddress = BigInt(address);
  saveHostState(cpu, x.nextRip());
  const vmcb = new VmcbView(cpu.physical, address);
  const failed = failedCheck(checkView(cpu, vmcb));
  if (failed === undefined) enterGuest(x, vmcb);
  else performInvalidExit(cpu, failed.name);
  x.setNextRip(state.rip);
}

function enterGuest(x: Execution, vmcb: VmcbView): void {
  const { cpu } = x;
  const { state } = cpu;
  state.hostCr0 = state.cr0;
  state.hostCr4 = state.cr4;
  state.hostEfer = state.efer;
  state.hostInterruptFlag = getFlag(state, "IF") ? 1 : 0;
  if (lbrVirtualized(vmcb)) {
    saveLastBranch(state, VmcbView.ofWorldSwitch(cpu.physical, Number(state.vmHsavePa)));
    loadLastBranch(state, vmcb);
  }
  flushAsTold(cpu, vmcb);
  loadControls(cpu, vmcb);
  state.guestMode = 1;
  state.gif = 1;
  // A host's single-step trap of VMRUN waits for #VMEXIT.
  state.trapDue = 0;
  state.resumeFlagLoaded = 1;
  loadGuestState(cpu, vmcb);
  state.nextRip = state.rip;
  cpu.deriveMode();
  injectEvent(cpu, vmcb);
  cpu.recheckInterrupts();
  // An injected event whose delivery exited has left the guest again.
  if (state.guestMode === 0) return;
  cpu.observers.emit("vmrun", { vmcb: vmcb.address, rip: state.rip });
}
