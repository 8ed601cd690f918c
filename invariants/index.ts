/**
 * Invariants of a hypervisor, checked live on a machine: the only file of invariants/ that other
 * folders import. What they say is checked on this run; it is no proof.
 */

import type { Machine } from "../emulator/index.ts";
import type { AddressRange } from "./address-range.ts";
import { declaredMemory } from "./hypervisor-memory.ts";
import type { Invariant } from "./invariant.ts";
import { Monitor } from "./monitor.ts";
import { nptProtectsHypervisor } from "./npt-protects-hypervisor.ts";
import { nptTablesInHypervisor } from "./npt-tables-in-hypervisor.ts";
import type { InvariantStatus, Violation } from "./violation.ts";
import { vmcbWellFormed } from "./vmcb-well-formed.ts";

export type { AddressRange } from "./address-range.ts";
export { type Culprit, findCulprit, type SearchProgress } from "./culprit.ts";
export type { Invariant, Verdict, Witness } from "./invariant.ts";
export type { InvariantStatus, Violation } from "./violation.ts";

/** All invariants there are, in the order in which they are checked and shown. */
export const INVARIANTS: readonly Invariant[] = [
  nptProtectsHypervisor,
  nptTablesInHypervisor,
  vmcbWellFormed,
];

export interface AttachOptions {
  /** Which to check; all by default. */
  readonly names?: readonly string[];
  /** hv.memory; by default it is derived at each VMRUN. */
  readonly hypervisorMemory?: readonly AddressRange[];
  /** Makes the machine stop (reason "observer", observer "invariants") at a violation. */
  readonly stopOnViolation?: boolean;
  /** Called when an invariant turns false, within the instruction; it must not change the machine. */
  readonly onViolation: (violation: Violation) => void;
}

export interface AttachedInvariants {
  /** One for each invariant that is checked, in their order. */
  status(): InvariantStatus[];
  /** Work done, in deterministic counts: evaluations (not just found unchanged), tables read. */
  counters(): { readonly evaluations: number; readonly tableScans: number };
  detach(): void;
}

function named(name: string): Invariant {
  const found = INVARIANTS.find((invariant) => invariant.name === name);
  if (found !== undefined) return found;
  const all = INVARIANTS.map((invariant) => invariant.name).join(", ");
  throw new RangeError(`There is no invariant "${name}"; there are ${all}`);
}

/**
 * Checks from now on, at each VMRUN and when a guest writes a nested table. Changes no machine
 * state. Throws a RangeError of one sentence for an unknown name or a range that means nothing.
 */
export function attachInvariants(machine: Machine, options: AttachOptions): AttachedInvariants {
  const { names, hypervisorMemory, stopOnViolation = false, onViolation } = options;
  const monitor = new Monitor(machine, {
    invariants: names === undefined ? INVARIANTS : names.map(named),
    declared: hypervisorMemory === undefined ? undefined : declaredMemory(hypervisorMemory),
    stopOnViolation,
    onViolation,
  });
  const { evaluation } = monitor;
  const stopObserving = machine.observe(monitor.observer);
  return {
    status: () => monitor.status(),
    counters: () => ({
      evaluations: evaluation.evaluations,
      tableScans: evaluation.cache.scans,
    }),
    detach: () => {
      stopObserving();
      evaluation.cache.clear();
    },
  };
}
