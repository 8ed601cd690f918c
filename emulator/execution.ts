/** What complex semantics see: the concrete context of the evaluator plus the CPU. */

import type { Context } from "./instructions/context.ts";
import type { SegmentRegister } from "./state/cpu-fields.ts";
import type { Vcpu } from "./vcpu.ts";

export interface Execution extends Context<bigint, boolean, bigint> {
  readonly cpu: Vcpu;
  /** Address of this instruction and of the one after it. */
  readonly rip: bigint;
  readonly length: number;
  /** Register number (0-15) that operand i encodes: general, control, debug, segment, x87 or XMM. */
  registerNumber(i: number): number;
  /** Segment of memory operand i (override applied). */
  segmentOf(i: number): SegmentRegister;
  /** Segment that an override prefix or the default DS gives (string sources, XLAT, MASKMOVDQU). */
  readonly operandSegment: SegmentRegister;
  /** Memory operand i: linear address after segmentation, without any access or limit check. */
  linearOf(i: number): bigint;
  /** Checks the segment (limit, type, canonical) for an access to operand i + displacement. */
  loadOperand(i: number, displacement: number, size: number): bigint;
  storeOperand(i: number, displacement: number, size: number, value: bigint): void;
  /** Effective address size in bits of the stack pointer: 16, 32 or 64. */
  readonly stackBits: 16 | 32 | 64;
  /** Sets the address of the next instruction. */
  setNextRip(rip: bigint): void;
  /** The instruction's bytes. */
  readonly bytes: Uint8Array;
}
