/** The ACL2 form of an invariant as it is shown: a book of its own, which says what is certified of it. */
import { exportBook } from "../acl2/export.ts";
import type { CheckedInvariant } from "../language/index.ts";

const WHAT_IT_MEANS = `\
; Certified: the predicate is total, guard-correct and three-valued.
; Tested, not proved: on the same states its verdict and first witness are those of the checker.
; Neither says that a hypervisor keeps the invariant.

`;

export const acl2Text = (invariant: CheckedInvariant): string =>
  WHAT_IT_MEANS + exportBook([invariant]);
