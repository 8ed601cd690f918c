/** vmcb_well_formed: VMRUN is intercepted, nested paging is on, the ASID is not 0. */

import { hex } from "./address-range.ts";
import { type CheckView, HOLDS, type Invariant, type Verdict } from "./invariant.ts";
import type { VmrunContext } from "./vmrun-context.ts";

interface Rule {
  readonly offset: number;
  readonly bytes: number;
  readonly expected: string;
  readonly actual: string;
  readonly why: string;
  isKept(context: VmrunContext): boolean;
}

const RULES: readonly Rule[] = [
  {
    offset: 0x010,
    bytes: 1,
    expected: "intercept of VMRUN = 1",
    actual: "intercept of VMRUN = 0",
    why: "VMRUN is not intercepted, which the CPU refuses (section 15.5.1)",
    isKept: ({ interceptMisc2 }) => (interceptMisc2 & 1) !== 0,
  },
  {
    offset: 0x090,
    bytes: 1,
    expected: "NP_ENABLE = 1",
    actual: "NP_ENABLE = 0",
    why: "nested paging is off, so that guest-physical addresses reach all of memory (section 15.25.3)",
    isKept: ({ nestedPaging }) => nestedPaging,
  },
  {
    offset: 0x058,
    bytes: 4,
    expected: "GUEST_ASID other than 0",
    actual: "GUEST_ASID = 0",
    why: "the guest has the host's ASID 0, which the CPU refuses (section 15.5.1)",
    isKept: ({ asid }) => asid !== 0,
  },
];

function check({ context }: CheckView): Verdict {
  const broken = RULES.find((rule) => !rule.isKept(context));
  if (broken === undefined) return HOLDS;
  const { offset, bytes, expected, actual, why } = broken;
  return {
    kind: "violated",
    message: `In the VMCB at hpa:${hex(context.vmcb)}, ${why}`,
    expected,
    actual,
    witness: { first: context.vmcb + offset, bytes, statusBits: 0n },
  };
}

export const vmcbWellFormed: Invariant = {
  name: "vmcb_well_formed",
  doc: "The VMCB intercepts VMRUN, enables nested paging and has an ASID of its own (APM volume 2, section 15.5.1).",
  check,
};
