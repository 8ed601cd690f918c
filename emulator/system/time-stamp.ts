/** The time stamp counter: a tick is a nanosecond of virtual time (APM volume 2, section 13.2.4, unverified). */
import type { Vcpu } from "../vcpu.ts";

/**
 * TSC as RDTSC and RDMSR see it. `tscOffset` is what is added to the ticks in the current world:
 * VMRUN adds the VMCB's TSC_OFFSET to it and keeps the host's in `hostTscOffset`.
 */
export function readTsc(cpu: Vcpu): bigint {
  return BigInt.asUintN(64, BigInt(Math.trunc(cpu.clock.ticks)) + cpu.state.tscOffset);
}

/** WRMSR to TSC moves the counter itself: a guest that is let to do it moves the host's as well. */
export function writeTsc(cpu: Vcpu, value: bigint): void {
  const { state } = cpu;
  const moved = value - readTsc(cpu);
  state.tscOffset = BigInt.asUintN(64, state.tscOffset + moved);
  if (state.guestMode !== 0) {
    state.hostTscOffset = BigInt.asUintN(64, state.hostTscOffset + moved);
  }
}
