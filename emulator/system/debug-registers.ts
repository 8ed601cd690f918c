/** MOV to and from DR0 to DR7, and general detect (APM volume 2, section 13.1). */
import type { CpuState } from "../state/cpu-state.ts";
import { DebugCause } from "./delivery.ts";
import { GuestFault } from "./exceptions.ts";
import { CR4 } from "./mode.ts";

const DR6_ONES = 0xffff_0ff0n;
const DR6_WRITABLE = 0xe00fn;
const DR7_ONES = 0x400n;
const DR7_WRITABLE = 0xffff_23ffn;
const GENERAL_DETECT = 1n << 13n;

export const DR6_RESET = DR6_ONES;
export const DR7_RESET = DR7_ONES;

const NAMES = ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7", "dr6", "dr7"] as const;
type DebugRegister = (typeof NAMES)[number];

/**
 * The register that a number names: 4 and 5 are 6 and 7 unless CR4.DE is set. Faults: #UD for a
 * number that does not exist, then #DB for an access with general detect on.
 */
export function debugRegister(state: CpuState, number: number): DebugRegister {
  const extended = (state.cr4 & CR4.DE) !== 0n;
  const name = NAMES[number];
  if (name === undefined || (extended && (number === 4 || number === 5))) {
    throw new GuestFault("UD");
  }
  if ((state.dr7 & GENERAL_DETECT) !== 0n) throw new GuestFault("DB", DebugCause.detect);
  return name;
}

/** Writes with the reserved bits as they must be; bits 63:32 of DR6 and DR7 are #GP(0). */
export function writeDebugRegister(state: CpuState, name: DebugRegister, value: bigint): void {
  if ((name === "dr6" || name === "dr7") && value >> 32n !== 0n) throw new GuestFault("GP", 0);
  if (name === "dr6") state.dr6 = (value & DR6_WRITABLE) | DR6_ONES;
  else if (name === "dr7") state.dr7 = (value & DR7_WRITABLE) | DR7_ONES;
  else state[name] = value;
}
