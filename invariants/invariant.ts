/** What an invariant is, what it may look at, and what it answers. */

import type { AddressRange } from "./address-range.ts";
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import type { TableFormat } from "./table-format.ts";
import type { TableVisit } from "./table-tree.ts";
import type { VmrunContext } from "./vmrun-context.ts";

/** Host-physical bytes that make an invariant false. */
export interface Witness extends AddressRange {
  /** Bits of the bytes, little-endian, that the CPU changes by itself and that do not matter. */
  readonly statusBits: bigint;
}

/** Three-valued: what cannot be read is unknown, never "holds". */
export type Verdict =
  | { readonly kind: "holds" }
  | {
      readonly kind: "violated";
      /** One sentence. */
      readonly message: string;
      readonly expected: string;
      readonly actual: string;
      readonly witness: Witness;
    }
  | { readonly kind: "unknown"; readonly reason: string };

/** The nested tables of one VMRUN. */
export interface NestedTables {
  readonly format: TableFormat;
  readonly visits: readonly TableVisit[];
}

/** Read-only machine state at one instant. */
export interface CheckView {
  readonly context: VmrunContext;
  readonly hypervisorMemory: HypervisorMemory;
  /** Or why there are none. */
  readonly nested: NestedTables | { readonly unknown: string };
}

export interface Invariant {
  readonly name: string;
  /** What it says, in a sentence, and where that comes from. */
  readonly doc: string;
  check(view: CheckView): Verdict;
}

export const HOLDS: Verdict = { kind: "holds" };

export const unknown = (reason: string): Verdict => ({ kind: "unknown", reason });
