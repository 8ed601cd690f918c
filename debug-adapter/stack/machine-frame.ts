/** One machine frame on the way out: where it goes on, and what is known of its registers. */

import type { KeptAt } from "../../symbols/location.ts";
import type { FrameCertainty } from "../protocol.ts";
import { codeBits, linearOf, type RegisterFile, registerByName } from "../register-file.ts";
import type { CodeBits } from "../services.ts";

/** What CS selects. */
export interface CodeSegment {
  readonly bits: CodeBits;
  readonly base: bigint;
  readonly selector: number;
}

/** How a frame came to be interrupted: by an event, or by SYSCALL. */
export interface Interruption {
  /** The interrupted stack pointer: by it the delivery is found. */
  readonly stack: bigint | undefined;
  readonly isSyscall: boolean;
}

export interface MachineFrame {
  /** Linear address at which it goes on. */
  readonly pc: bigint;
  /** Whether pc is behind a call, so that pc - 1 belongs to the frame. */
  readonly isCaller: boolean;
  readonly certainty: FrameCertainty;
  readonly code: CodeSegment;
  readonly ring: number | undefined;
  /** Set where no call but an interruption led to the frame inside. */
  readonly interruption: Interruption | undefined;
  /** Where the value of a register, so named, is kept; missing where nothing is known of it. */
  keptAt?(register: string): KeptAt | undefined;
  /** A register by its 64-bit or 32-bit name, with a full-width value. */
  get(register: string): bigint | undefined;
}

/** Address by which source and unwind rules of the frame are found. */
export const lookupOf = ({ pc, isCaller }: MachineFrame): bigint => (isCaller ? pc - 1n : pc);

/** The frame in which a world's CPU is; `isCaller` where its rip is behind what it waits for. */
export function innermostFrame(registers: RegisterFile, isCaller: boolean): MachineFrame {
  const cs = registers.segment("cs");
  const ss = registers.segment("ss");
  return {
    pc: linearOf(registers, registers.get("rip") ?? 0n),
    isCaller,
    certainty: "exact",
    code: { bits: codeBits(registers), base: cs?.base ?? 0n, selector: cs?.selector ?? 0 },
    // APM volume 2, section 15.5.1: the privilege level is SS.DPL.
    ring: ss === undefined ? undefined : (ss.attributes >> 5) & 3,
    interruption: undefined,
    get: (name) => registerByName(registers, name),
    keptAt: () => "live",
  };
}

const RANK: readonly FrameCertainty[] = ["exact", "framePointer", "scanned"];

/** A frame is as sure as the least sure step on the way to it. */
export function leastSure(a: FrameCertainty, b: FrameCertainty): FrameCertainty {
  return RANK.indexOf(a) > RANK.indexOf(b) ? a : b;
}
