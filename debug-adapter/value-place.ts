/** Where a value lives: what an assignment writes and what a data breakpoint watches. */

import type { VmcbFieldName, VmcbSegment } from "../emulator/index.ts";
import type { SpaceName } from "./addresses/memory-reference.ts";
import type { World } from "./register-file.ts";

/** Some bits of a value, the lowest first. */
export interface Bits {
  readonly offset: number;
  readonly width: number;
}

/** "selector", "attributes", "limit" or "base". */
export type SegmentPart = keyof VmcbSegment;

export type ValuePlace =
  /** Bytes of memory; `space` is fully resolved. A bit field names its bits, from `address` on. */
  | {
      readonly kind: "memory";
      readonly space: SpaceName;
      readonly address: bigint;
      readonly size: number;
      readonly bits?: Bits;
    }
  /** A register of a world, by its name in lower case: "rax", "cr3", "xmm0"; of "cs" a part. */
  | {
      readonly kind: "register";
      readonly world: World;
      readonly name: string;
      readonly part?: SegmentPart;
      readonly bits?: Bits;
    }
  /** A model-specific register, by its index. */
  | { readonly kind: "msr"; readonly index: number; readonly bits?: Bits }
  /** A field of the VMCB at a host-physical address; of a segment a part. */
  | {
      readonly kind: "vmcb";
      readonly vmcb: number;
      readonly field: VmcbFieldName;
      readonly part?: SegmentPart;
      readonly bits?: Bits;
    };
