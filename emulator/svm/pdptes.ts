/** Loading the legacy-PAE page-directory-pointer entries at a world switch (APM volume 2, section 5.2.3). */

import { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from "../system/mode.ts";
import type { Vcpu } from "../vcpu.ts";
import { pdpteAddress, pdpteIllegal } from "./vmrun-checks.ts";

/** Loads them if the present registers use legacy PAE; false if one has a reserved bit set. */
export function loadPdptes(cpu: Vcpu): boolean {
  const { state, physical } = cpu;
  const pae = (state.cr0 & CR0.PG) !== 0n && (state.cr4 & CR4.PAE) !== 0n;
  if (!pae || (state.efer & EFER.LMA) !== 0n) return true;
  const base = pdpteAddress(state.cr3);
  state.pdpte0 = physical.readEntry(base, 8);
  state.pdpte1 = physical.readEntry(base + 8, 8);
  state.pdpte2 = physical.readEntry(base + 16, 8);
  state.pdpte3 = physical.readEntry(base + 24, 8);
  const entries = [state.pdpte0, state.pdpte1, state.pdpte2, state.pdpte3];
  return !entries.some((entry) => pdpteIllegal(entry, PHYSICAL_ADDRESS_BITS));
}
