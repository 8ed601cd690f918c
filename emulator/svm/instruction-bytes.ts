/** Decode assist: the guest's instruction bytes of an intercepted data page fault (APM volume 2, section 15.33.5). */

import { EXCEPTIONS, GuestFault, InterceptExit } from "../system/exceptions.ts";
import { is64Bit } from "../system/mode.ts";
import type { Vcpu } from "../vcpu.ts";
import { EXCEPTION_EXIT, NPF_EXIT } from "./exits.ts";

const MOST = 15;
const PAGE = 4096;
const FETCH = 1n << 4n;
const NOTHING = new Uint8Array(0);

/**
 * Up to 15 bytes at CS:rip, still as the guest sees them; none for a fault of the fetch itself, for
 * other exits, and for a fault while an event was being delivered.
 */
export function guestInstructionBytes(cpu: Vcpu, exit: InterceptExit): Uint8Array {
  const { state } = cpu;
  const pageFault = exit.exitCode === EXCEPTION_EXIT + EXCEPTIONS.PF.vector;
  if (exit.exitCode !== NPF_EXIT && !pageFault) return NOTHING;
  if ((exit.info1 & FETCH) !== 0n || state.deliveredEvent !== 0n) return NOTHING;
  const linear = is64Bit(state)
    ? state.rip
    : BigInt.asUintN(32, state.cs.base + BigInt.asUintN(32, state.rip));
  const bytes = new Uint8Array(MOST);
  const first = Math.min(MOST, PAGE - Number(linear & 0xfffn));
  let length = copyFetched(cpu, linear, bytes.subarray(0, first));
  if (length === first && first < MOST) {
    length += copyFetched(cpu, linear + BigInt(first), bytes.subarray(first));
  }
  return bytes.subarray(0, length);
}

/** Copies bytes of one page; returns how many could be fetched. */
function copyFetched(cpu: Vcpu, linear: bigint, into: Uint8Array): number {
  try {
    const found = cpu.physical.peek(cpu.mmu.translateFetch(linear), into.length);
    into.set(found);
    return found.length;
  } catch (caught) {
    if (caught instanceof GuestFault || caught instanceof InterceptExit) return 0;
    throw caught;
  }
}
