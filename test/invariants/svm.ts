/** The shipped invariants, attached to a machine at its reset; violations are collected. */
import { Guests, type Machine } from "../../emulator/index.ts";
import {
  type AttachOptions,
  attachInvariants,
  type CheckedInvariant,
  readInvariants,
  SHIPPED_INVARIANTS,
  type Violation,
} from "../../invariants/index.ts";

export const SVM: readonly CheckedInvariant[] = readInvariants(
  SHIPPED_INVARIANTS,
  undefined,
).flatMap(({ invariants }) => invariants);

/** The three that judge nested tables and the VMCB's least: small enough to count their work. */
export const FIRST_THREE = SVM.slice(0, 3);

export function attachSvm(machine: Machine, options: Partial<AttachOptions> = {}) {
  const violations: Violation[] = [];
  const attached = attachInvariants(machine, {
    invariants: SVM,
    program: undefined,
    guests: new Guests(machine),
    onViolation: (violation) => violations.push(violation),
    ...options,
  });
  const states = () =>
    Object.fromEntries(attached.status().map(({ name, state }) => [name, state]));
  return { ...attached, violations, states };
}
