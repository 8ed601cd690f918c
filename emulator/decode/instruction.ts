/** A decoded instruction, and its 32-byte record in linear memory that generated code reads. */

import type { SegmentRegister } from "../state/cpu-fields.ts";
import { SEGMENT_REGISTERS } from "../state/cpu-fields.ts";
import type { Form } from "./form.ts";

export interface Instruction {
  readonly form: Form;
  /** Bytes, prefixes included: 1 to 15. */
  readonly length: number;
  /** Byte offsets of register operands in the CPU state; `rm` is the base register in memory forms. */
  readonly regOffset: number;
  readonly rmOffset: number;
  readonly indexOffset: number;
  /** Register numbers as encoded, for files other than the general one. */
  readonly regNumber: number;
  readonly rmNumber: number;
  /** Left shift of the index: 0 to 3. */
  readonly scale: number;
  /** Already relative to the instruction's own address for rip-relative operands. */
  readonly displacement: number;
  readonly immediate: bigint;
  readonly segment: SegmentRegister;
  readonly lock: boolean;
}

export const RECORD_BYTES = 32;

/** Byte offsets in a record. `behind` keeps the handler that a breakpoint hides. */
export const RECORD = {
  handler: 0,
  length: 2,
  segment: 3,
  regOffset: 4,
  rmOffset: 6,
  indexOffset: 8,
  scale: 10,
  lock: 11,
  displacement: 12,
  immediate: 16,
  form: 24,
  regNumber: 28,
  rmNumber: 29,
  behind: 30,
} as const;

export function writeRecord(view: DataView, at: number, handler: number, i: Instruction): void {
  view.setUint16(at + RECORD.handler, handler, true);
  view.setUint8(at + RECORD.length, i.length);
  view.setUint8(at + RECORD.segment, SEGMENT_REGISTERS.indexOf(i.segment));
  view.setUint16(at + RECORD.regOffset, i.regOffset, true);
  view.setUint16(at + RECORD.rmOffset, i.rmOffset, true);
  view.setUint16(at + RECORD.indexOffset, i.indexOffset, true);
  view.setUint8(at + RECORD.scale, i.scale);
  view.setUint8(at + RECORD.lock, i.lock ? 1 : 0);
  view.setInt32(at + RECORD.displacement, i.displacement, true);
  view.setBigUint64(at + RECORD.immediate, BigInt.asUintN(64, i.immediate), true);
  view.setUint32(at + RECORD.form, i.form.id, true);
  view.setUint8(at + RECORD.regNumber, i.regNumber);
  view.setUint8(at + RECORD.rmNumber, i.rmNumber);
}

export function readRecord(view: DataView, at: number, forms: readonly Form[]): Instruction {
  const form = forms[view.getUint32(at + RECORD.form, true)];
  if (form === undefined) throw new Error(`Record at ${at} names no form`);
  return {
    form,
    length: view.getUint8(at + RECORD.length),
    regOffset: view.getUint16(at + RECORD.regOffset, true),
    rmOffset: view.getUint16(at + RECORD.rmOffset, true),
    indexOffset: view.getUint16(at + RECORD.indexOffset, true),
    regNumber: view.getUint8(at + RECORD.regNumber),
    rmNumber: view.getUint8(at + RECORD.rmNumber),
    scale: view.getUint8(at + RECORD.scale),
    displacement: view.getInt32(at + RECORD.displacement, true),
    immediate: view.getBigUint64(at + RECORD.immediate, true),
    segment: SEGMENT_REGISTERS[view.getUint8(at + RECORD.segment)] ?? "ds",
    lock: view.getUint8(at + RECORD.lock) !== 0,
  };
}
