/** The .inv files that the product ships for any hypervisor. */
import svm from "./svm.inv";

export const SHIPPED_INVARIANTS: readonly { readonly path: string; readonly text: string }[] = [
  { path: "svm.inv", text: svm },
];
