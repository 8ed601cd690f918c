/** #VMEXIT: the guest goes into the VMCB, the host comes back (APM volume 2, sections 15.6 and 15.7). */

import { getFlag } from "../state/flags.ts";
import type { InterceptExit } from "../system/exceptions.ts";
import type { Vcpu } from "../vcpu.ts";
import { clearControls, saveVirtualInterrupt } from "./control-area.ts";
import { withoutValid } from "./event-format.ts";
import { exitHasNextRip, INVALID_EXIT } from "./exits.ts";
import { saveGuestState } from "./guest-state.ts";
import { loadHostState } from "./host-state.ts";
import { guestInstructionBytes } from "./instruction-bytes.ts";
import { lbrVirtualized, loadLastBranch, saveLastBranch } from "./last-branch.ts";
import { VmcbView } from "./vmcb-view.ts";

/** The instruction that was intercepted; absent for an exit between instructions. */
export interface ExitedInstruction {
  readonly nextRip: bigint;
}

/**
 * Carries out the exit. `state.rip` is the guest's rip to save: of the instruction that did not
 * complete, or of the next one for an exit between instructions. Afterwards rip and nextRip are the
 * host's, at the instruction after VMRUN. May leave the CPU in shutdown.
 */
export function performExit(cpu: Vcpu, exit: InterceptExit, instruction?: ExitedInstruction): void {
  const { state } = cpu;
  const vmcb = VmcbView.ofWorldSwitch(cpu.physical, Number(state.vmcbAddress));
  const bytes = guestInstructionBytes(cpu, exit);
  const code = BigInt.asUintN(64, BigInt(exit.exitCode));
  const guestRip = state.rip;
  writeCause(vmcb, code, exit.info1, exit.info2);
  vmcb.write("EXITINTINFO", state.deliveredEvent);
  vmcb.write("EVENTINJ", withoutValid(vmcb.read("EVENTINJ")));
  const nextRip = exitHasNextRip(exit.exitCode) ? (instruction?.nextRip ?? 0n) : 0n;
  vmcb.write("nRIP", nextRip);
  vmcb.write("NUMBER_OF_BYTES_FETCHED", bytes.length);
  if (bytes.length > 0) vmcb.write("GUEST_INSTRUCTION_BYTES", bytes);
  saveVirtualInterrupt(state, vmcb);
  saveGuestState(cpu, vmcb);
  if (lbrVirtualized(vmcb)) saveLastBranch(state, vmcb);
  enterHost(cpu, vmcb);
  reportExit(cpu, exit, guestRip, undefined);
}

/**
 * The exit of a VMRUN that failed a check: EXITCODE is -1, the save area is as it was. The CPU has
 * saved the host and loaded nothing of the guest.
 */
export function performInvalidExit(cpu: Vcpu, failedCheck: string): void {
  const { state } = cpu;
  const vmcb = VmcbView.ofWorldSwitch(cpu.physical, Number(state.vmcbAddress));
  const guestRip = vmcb.read("RIP");
  writeCause(vmcb, BigInt.asUintN(64, BigInt(INVALID_EXIT)), 0n, 0n);
  vmcb.write("EXITINTINFO", 0n);
  state.hostTscOffset = state.tscOffset;
  enterHost(cpu, vmcb);
  const exit = { exitCode: INVALID_EXIT, info1: 0n, info2: 0n };
  reportExit(cpu, exit, guestRip, failedCheck);
}

function writeCause(vmcb: VmcbView, code: bigint, info1: bigint, info2: bigint): void {
  vmcb.write("EXITCODE", code);
  vmcb.write("EXITINFO1", info1);
  vmcb.write("EXITINFO2", info2);
}

function enterHost(cpu: Vcpu, vmcb: VmcbView): void {
  const { state } = cpu;
  const switchesLastBranch = state.guestMode !== 0 && lbrVirtualized(vmcb);
  clearControls(state);
  state.gif = 0;
  state.deliveredEvent = 0n;
  state.interruptShadow = 0;
  state.halted = 0;
  // What an instruction that did not complete has met, it meets again.
  state.breakpointsMet = 0;
  const problem = loadHostState(cpu);
  // VMRUN completes here: if it was single-stepped, its trap is due in the host.
  state.trapDue = getFlag(state, "TF") ? 1 : 0;
  if (switchesLastBranch) {
    loadLastBranch(state, new VmcbView(cpu.physical, Number(state.vmHsavePa)));
  }
  state.nextRip = state.rip;
  state.exitCount += 1;
  cpu.deriveMode();
  cpu.recheckInterrupts();
  if (problem === undefined) return;
  const faults = [`#VMEXIT to an illegal host state: ${problem}`];
  cpu.observers.emit("shutdown", { faults });
  state.shutdown = 1;
  cpu.requestStop({ kind: "shutdown", faults });
}

function reportExit(
  cpu: Vcpu,
  exit: Pick<InterceptExit, "exitCode" | "info1" | "info2">,
  guestRip: bigint,
  failedCheck: string | undefined,
): void {
  const { state, observers } = cpu;
  if (!observers.wants("exit")) return;
  observers.emit("exit", {
    number: state.exitCount,
    code: BigInt.asUintN(64, BigInt(exit.exitCode)),
    info1: exit.info1,
    info2: exit.info2,
    vmcb: Number(state.vmcbAddress),
    guestRip,
    failedCheck,
  });
}
