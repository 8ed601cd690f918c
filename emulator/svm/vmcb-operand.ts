/** The operand of VMRUN, VMLOAD and VMSAVE: the physical address of a VMCB in rAX. */

import type { Execution } from "../execution.ts";
import { GuestFault } from "../system/exceptions.ts";
import { PHYSICAL_ADDRESS_BITS } from "../system/mode.ts";
import type { PhysicalAddress } from "../vcpu.ts";

/** Address size decides how much of rAX counts. #GP(0) if not a page of physical memory. */
export function vmcbOperand(x: Execution): PhysicalAddress {
  const address = x.getRegister("rax", x.addressSize);
  if ((address & 0xfffn) !== 0n || address >> BigInt(PHYSICAL_ADDRESS_BITS) !== 0n) {
    throw new GuestFault("GP");
  }
  return Number(address);
}
