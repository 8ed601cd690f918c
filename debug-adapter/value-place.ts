/** Where a value lives: what an assignment writes and what a data breakpoint watches. */

import type { VmcbFieldName } from "../emulator/index.ts";
import type { SpaceName } from "./memory-reference.ts";
import type { World } from "./register-file.ts";

export type ValuePlace =
  /** Bytes of memory; `space` is fully resolved. A bit field names its bits, the lowest first. */
  | {
      readonly kind: "memory";
      readonly space: SpaceName;
      readonly address: bigint;
      readonly size: number;
      readonly bits?: { readonly offset: number; readonly width: number };
    }
  /** A whole register of a world, by its name in lower case: "rax", "cr3", "xmm0". */
  | { readonly kind: "register"; readonly world: World; readonly name: string }
  /** A model-specific register, by its index. */
  | { readonly kind: "msr"; readonly index: number }
  /** A field of the VMCB at a host-physical address. */
  | { readonly kind: "vmcb"; readonly vmcb: number; readonly field: VmcbFieldName };
