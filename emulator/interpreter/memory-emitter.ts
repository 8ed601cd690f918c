/** Emits effective addresses, segmentation and the fast TLB lookup. */

import type { Form } from "../decode/form.ts";
import { RECORD } from "../decode/instruction.ts";
import { CPU_FIELDS, SEGMENT_REGISTERS } from "../state/cpu-fields.ts";
import { FAST_TLB_ENTRY, TLB_ENTRIES } from "../state/memory-map.ts";
import { EXCEPTIONS } from "../system/exceptions.ts";
import { I32, I64, OP } from "../wasm/encoder.ts";
import { pushBankOffset } from "./bank-offset.ts";
import type { CodeWriter } from "./code-writer.ts";
import { CPU, RECORD_AT, type Runtime, THROUGH_STACK } from "./runtime.ts";

export type AccessKind = "read" | "write" | "modify";

/** Offsets within a fast TLB entry (state/memory-map.ts). */
const WRITE_TAG = 8;
const ADDEND = 16;

const STACK_SEGMENT = SEGMENT_REGISTERS.indexOf("ss");
const SEGMENT_BYTES = 16;
const SEGMENT_BASE = 8;

export class MemoryEmitter {
  constructor(form: Form, writer: CodeWriter, runtime: Runtime, abort: () => void) {
    this.form = form;
    this.w = writer;
    this.runtime = runtime;
    this.abort = abort;
  }
  private readonly form: Form;
  private readonly w: CodeWriter;
  private readonly runtime: Runtime;
  private readonly abort: () => void;
  /** Local with extra bytes to add to the operand's address (bit strings). */
  displacement: number | undefined;

  /** Leaves the offset of the memory operand on the stack, truncated to address size. */
  pushOffset(): void {
    const { w, form } = this;
    if (form.addressing === "moffs") {
      w.get(RECORD_AT).memory(OP.i64Load, RECORD.immediate);
      return;
    }
    this.pushIndexed(RECORD.rmOffset);
    this.pushIndexed(RECORD.indexOffset);
    w.get(RECORD_AT).memory(OP.i64Load8U, RECORD.scale).op(OP.i64Shl, OP.i64Add);
    w.get(RECORD_AT).memory(OP.i64Load32S, RECORD.displacement).op(OP.i64Add);
    if (this.displacement !== undefined) w.get(this.displacement).op(OP.i64Add);
    if (form.addressSize !== 8) {
      w.i64((1n << BigInt(8 * form.addressSize)) - 1n).op(OP.i64And);
    }
  }

  /** Leaves the general register whose CPU-state offset is in the record on the stack. */
  private pushIndexed(at: number): void {
    this.w.get(RECORD_AT).memory(OP.i32Load16U, at).get(CPU).op(OP.i32Add).memory(OP.i64Load);
  }

  /** Leaves a pointer to the memory operand on the stack. */
  pushPointer(kind: AccessKind, size: number): void {
    this.w.get(this.pointer(kind, size));
  }

  /** Local with a pointer to the memory operand. */
  pointer(kind: AccessKind, size: number): number {
    const offset = this.w.temporary(I64);
    this.pushOffset();
    this.w.set(offset);
    return this.pointerAt(kind, "operand", offset, size);
  }

  /** Local with a pointer to segment:offset; segment "operand" is the record's. */
  pointerAt(kind: AccessKind, segment: number | "operand", offset: number, size: number): number {
    const linear = this.w.temporary(I64);
    if (!this.form.long) this.checkLimit(kind, segment, offset, size);
    this.w.get(offset);
    if (this.hasBase(segment)) {
      this.pushSegmentField(segment, CPU_FIELDS.es.offset + SEGMENT_BASE, SEGMENT_BYTES);
      this.w.memory(OP.i64Load).op(OP.i64Add);
      if (!this.form.long) this.w.i64(0xffff_ffffn).op(OP.i64And);
    }
    this.w.set(linear);
    return this.lookUp(kind, segment, linear, size);
  }

  /** In 64-bit mode only FS and GS have bases. */
  private hasBase(segment: number | "operand"): boolean {
    if (segment === "operand") return this.form.based;
    return !this.form.long || segment >= 4;
  }

  /** Leaves the address of table[segment] in the CPU state on the stack. */
  private pushSegmentField(segment: number | "operand", table: number, stride: number): void {
    const { w } = this;
    w.get(CPU);
    if (segment === "operand") {
      w.get(RECORD_AT).memory(OP.i32Load8U, RECORD.segment);
      w.i32(Math.log2(stride)).op(OP.i32Shl, OP.i32Add).i32(table).op(OP.i32Add);
    } else {
      w.i32(table + segment * stride).op(OP.i32Add);
    }
  }

  private checkLimit(
    kind: AccessKind,
    segment: number | "operand",
    offset: number,
    size: number,
  ): void {
    const { w } = this;
    const table = kind === "read" ? CPU_FIELDS.esReadLimit.offset : CPU_FIELDS.esWriteLimit.offset;
    w.get(offset);
    if (size > 1) w.i64(BigInt(size - 1)).op(OP.i64Add);
    this.pushSegmentField(segment, table, 8);
    w.memory(OP.i64Load).op(OP.i64GtS).if();
    if (segment === "operand") w.get(RECORD_AT).memory(OP.i32Load8U, RECORD.segment);
    else w.i32(segment);
    w.get(offset)
      .i32(size)
      .i32(kind === "read" ? 0 : 1);
    w.call(this.runtime.checkSegment).if();
    this.abort();
    w.end().end();
  }

  /** The fast TLB: tag compare catches misses, page crossings and withheld pages alike. */
  private lookUp(
    kind: AccessKind,
    segment: number | "operand",
    linear: number,
    size: number,
  ): number {
    const { w } = this;
    const entry = w.temporary(I32);
    const pointer = w.temporary(I32);
    pushBankOffset(w, linear, TLB_ENTRIES, FAST_TLB_ENTRY);
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS.tlbBank.offset).op(OP.i32Add).tee(entry);
    w.memory(OP.i64Load, kind === "read" ? 0 : WRITE_TAG);
    w.get(linear);
    if (size > 1) w.i64(BigInt(size - 1)).op(OP.i64Add);
    w.i64(-4096n).op(OP.i64And, OP.i64Eq).if();
    w.get(linear).op(OP.i32WrapI64).get(entry).memory(OP.i32Load, ADDEND).op(OP.i32Add);
    w.set(pointer).else();
    const slow = { read: "readSlow", write: "writeSlow", modify: "modifySlow" } as const;
    w.get(linear);
    this.pushSlowSize(segment, size);
    w.call(this.runtime[slow[kind]]).tee(pointer).op(OP.i32Eqz).if();
    this.abort();
    w.end().end();
    return pointer;
  }

  /** Leaves the size for a slow path; in 64-bit mode with THROUGH_STACK if the segment is SS. */
  private pushSlowSize(segment: number | "operand", size: number): void {
    const { w } = this;
    if (!this.form.long || segment !== "operand") {
      w.i32(this.form.long && segment === STACK_SEGMENT ? size | THROUGH_STACK : size);
      return;
    }
    w.get(RECORD_AT).memory(OP.i32Load8U, RECORD.segment).i32(STACK_SEGMENT).op(OP.i32Eq);
    w.i32(Math.log2(THROUGH_STACK)).op(OP.i32Shl).i32(size).op(OP.i32Or);
  }

  /** After a store through `pointer`: carries it out if it went to the bounce buffer. */
  commit(pointer: number): void {
    const { w } = this;
    w.get(pointer).get(CPU).i32(CPU_FIELDS.bounce0.offset).op(OP.i32Add, OP.i32Eq).if();
    w.call(this.runtime.commitWrite).if();
    this.abort();
    w.end().end();
  }

  /** #GP(0) unless the memory operand's linear address is a multiple of `bytes`. */
  requireAlignment(bytes: number): void {
    const { w } = this;
    this.pushOffset();
    if (this.hasBase("operand")) {
      this.pushSegmentField("operand", CPU_FIELDS.es.offset + SEGMENT_BASE, SEGMENT_BYTES);
      w.memory(OP.i64Load).op(OP.i64Add);
    }
    w.i64(BigInt(bytes - 1))
      .op(OP.i64And, OP.i64Eqz, OP.i32Eqz)
      .if();
    w.i32(EXCEPTIONS.GP.vector).i32(0).call(this.runtime.raise);
    this.abort();
    w.end();
  }
}
