/** The address space and frame that a value belongs to. */

import type { FrameState } from "../../symbols/location.ts";
import type { SpaceName } from "../addresses/memory-reference.ts";
import type { ValuePlace } from "../value-place.ts";

export interface Home {
  /** Reads where addresses lead, and the registers that hold variables. */
  readonly state: FrameState;
  /** Of addresses; undefined where they lead nowhere that has a name. */
  readonly space: SpaceName | undefined;
  /** Place of `size` bytes of a register by its DWARF number; a phrase says why there is none. */
  registerPlace?(register: number, size: number): ValuePlace | string;
  /** "helper" or "helper+0x4". */
  nameOf?(address: bigint): string | undefined;
}

/** Where addresses lead nowhere. */
export const NOWHERE: Home = {
  state: { register: () => undefined, readMemory: () => undefined },
  space: undefined,
};
