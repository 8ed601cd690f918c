/** An I/O port access, as the IOIO intercept wants to know it (APM volume 2, section 15.10.2). */
import type { SegmentRegister } from "../state/cpu-fields.ts";

export interface IoAccess {
  readonly port: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4;
  readonly in: boolean;
  readonly string: boolean;
  readonly rep: boolean;
  /** Bytes. */
  readonly addressSize: 2 | 4 | 8;
  /** Of the memory operand: ES for INS. DS, and without meaning, when not a string. */
  readonly segment: SegmentRegister;
}
