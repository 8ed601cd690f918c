/** Emits WebAssembly instructions into a body, with reusable typed temporaries. */

import { Bytes, EMPTY, I32, I64, OP, V128, type ValueType } from "../wasm/encoder.ts";

/** Temporaries are taken in order and given back all at once, instruction by instruction. */
export class CodeWriter {
  readonly code = new Bytes();
  private readonly locals: ValueType[] = [];
  private readonly used = { [I32]: 0, [I64]: 0, [V128]: 0 };
  private readonly indexes: Record<ValueType, number[]> = { [I32]: [], [I64]: [], [V128]: [] };
  /** Open blocks around the current point. */
  depth = 0;

  /** Parameters occupy the first local indexes. */
  constructor(parameters: number) {
    this.parameters = parameters;
  }
  private readonly parameters: number;

  /** Types of the locals, to declare. */
  get declared(): readonly ValueType[] {
    return this.locals;
  }

  /** A local that is never given back. */
  permanent(type: ValueType): number {
    return this.parameters + this.locals.push(type) - 1;
  }

  temporary(type: ValueType): number {
    const pool = this.indexes[type];
    const next = this.used[type]++;
    pool[next] ??= this.permanent(type);
    return pool[next];
  }

  releaseTemporaries(): void {
    this.used[I32] = 0;
    this.used[I64] = 0;
    this.used[V128] = 0;
  }

  op(...opcodes: number[]): this {
    for (const opcode of opcodes) this.code.byte(opcode);
    return this;
  }

  get(local: number): this {
    this.code.byte(OP.localGet).unsigned(local);
    return this;
  }

  set(local: number): this {
    this.code.byte(OP.localSet).unsigned(local);
    return this;
  }

  tee(local: number): this {
    this.code.byte(OP.localTee).unsigned(local);
    return this;
  }

  i32(value: number): this {
    this.code.byte(OP.i32Const).signed(value | 0);
    return this;
  }

  i64(value: bigint): this {
    this.code.byte(OP.i64Const).signed(BigInt.asIntN(64, value));
    return this;
  }

  /** A load or store with its address (and value) on the stack; alignment is never promised. */
  memory(opcode: number, offset = 0): this {
    this.code.byte(opcode).unsigned(0).unsigned(offset);
    return this;
  }

  simd(opcode: number): this {
    this.code.byte(0xfd).unsigned(opcode);
    return this;
  }

  simdMemory(opcode: number, offset = 0): this {
    this.simd(opcode);
    this.code.unsigned(0).unsigned(offset);
    return this;
  }

  call(index: number): this {
    this.code.byte(OP.call).unsigned(index);
    return this;
  }

  block(): this {
    this.depth++;
    return this.op(OP.block, EMPTY);
  }

  loop(): this {
    this.depth++;
    return this.op(OP.loop, EMPTY);
  }

  if(): this {
    this.depth++;
    return this.op(OP.if, EMPTY);
  }

  else(): this {
    return this.op(OP.else);
  }

  end(): this {
    this.depth--;
    return this.op(OP.end);
  }

  /** Branches out to the block that was opened when depth was `target`. */
  branchTo(target: number): this {
    this.code.byte(OP.br).unsigned(this.depth - 1 - target);
    return this;
  }
}
