/** The instruction that wrote: where it is, and when it is about to run. */
import type { Instant, Machine } from "../emulator/index.ts";

export interface Writer {
  readonly rip: bigint;
  /** Before the instruction; what an interrupt or #VMEXIT wrote is there already. */
  readonly at: Instant;
  readonly world: "host" | "guest";
  readonly exitNumber: number;
}

/** To be asked within the instruction. */
export function writerNow({ state, instant: at }: Machine): Writer {
  const world = state.guestMode === 0 ? "host" : "guest";
  const { rip, exitCount: exitNumber } = state;
  return { rip, at, world, exitNumber };
}
