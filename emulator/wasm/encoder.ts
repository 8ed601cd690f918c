/** Writes WebAssembly modules as bytes: a growing buffer, LEB128 numbers, sections. */

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
export type ValueType = typeof I32 | typeof I64 | typeof V128;
/** Block type of a block that leaves nothing on the stack. */
export const EMPTY = 0x40;

/** Instructions used by the generator, by their text-format names. */
export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Load: 0x28,
  i64Load: 0x29,
  i32Load8U: 0x2d,
  i32Load16U: 0x2f,
  i64Load8U: 0x31,
  i64Load16U: 0x33,
  i64Load32S: 0x34,
  i64Load32U: 0x35,
  i32Store: 0x36,
  i64Store: 0x37,
  i32Store8: 0x3a,
  i64Store8: 0x3c,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i32Ne: 0x47,
  i32Eq: 0x46,
  i32GeU: 0x4f,
  i64Eqz: 0x50,
  i64Eq: 0x51,
  i64Ne: 0x52,
  i64LtS: 0x53,
  i64LtU: 0x54,
  i64GtS: 0x55,
  i64GtU: 0x56,
  i64GeU: 0x5a,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32Or: 0x72,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  i64Clz: 0x79,
  i64Ctz: 0x7a,
  i64Popcnt: 0x7b,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64DivS: 0x7f,
  i64DivU: 0x80,
  i64RemS: 0x81,
  i64RemU: 0x82,
  i64And: 0x83,
  i64Or: 0x84,
  i64Xor: 0x85,
  i64Shl: 0x86,
  i64ShrS: 0x87,
  i64ShrU: 0x88,
  i64Rotl: 0x89,
  i64Rotr: 0x8a,
  i32WrapI64: 0xa7,
  i64ExtendI32U: 0xad,
  i64Extend8S: 0xc2,
  i64Extend16S: 0xc3,
  i64Extend32S: 0xc4,
} as const;

/** A growing byte buffer. */
export class Bytes {
  private data = new Uint8Array(256);
  length = 0;

  byte(value: number): this {
    if (this.length === this.data.length) this.grow(this.length + 1);
    this.data[this.length++] = value;
    return this;
  }

  append(bytes: Uint8Array): this {
    if (this.length + bytes.length > this.data.length) this.grow(this.length + bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    return this.byte(rest);
  }

  signed(value: bigint | number): this {
    if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 0x4000_0000) {
      let rest = value;
      while (rest < -64 || rest > 63) {
        this.byte((rest & 0x7f) | 0x80);
        rest >>= 7;
      }
      return this.byte(rest & 0x7f);
    }
    let rest = BigInt(value);
    while (rest < -64n || rest > 63n) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 0x7fn));
  }

  text(value: string): this {
    const bytes = Uint8Array.from(value, (c) => c.charCodeAt(0));
    return this.unsigned(bytes.length).append(bytes);
  }

  view(): Uint8Array {
    return this.data.subarray(0, this.length);
  }

  private grow(least: number): void {
    const larger = new Uint8Array(Math.max(least, this.data.length * 2));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }
}

/** Parameters and results of a function. */
export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function body: `code` is its instructions without the final end. */
export interface FunctionBody {
  readonly signature: Signature;
  readonly locals: readonly ValueType[];
  readonly code: Bytes;
  readonly exportAs?: string;
}

function section(out: Bytes, id: number, content: Bytes): void {
  out.byte(id).unsigned(content.length).append(content.view());
}

/** A module that imports one memory ("m"."memory"), functions of "m" and, if told to, one table ("m"."table"). */
export class ModuleBuilder {
  private hasTable = false;
  private readonly types: Signature[] = [];
  private readonly imports: { name: string; type: number }[] = [];
  private readonly functions: FunctionBody[] = [];

  /** Index of a function type, for call_indirect. */
  type(signature: Signature): number {
    const same = (a: readonly ValueType[], b: readonly ValueType[]): boolean =>
      a.length === b.length && a.every((t, i) => t === b[i]);
    const found = this.types.findIndex(
      (t) => same(t.parameters, signature.parameters) && same(t.results, signature.results),
    );
    if (found >= 0) return found;
    return this.types.push(signature) - 1;
  }

  /** For call_indirect. V8 copies the whole table for each instance that imports it. */
  importTable(): void {
    this.hasTable = true;
  }

  /** Declares an imported function and returns its index; all imports come before functions. */
  importFunction(name: string, signature: Signature): number {
    return this.imports.push({ name, type: this.type(signature) }) - 1;
  }

  addFunction(body: FunctionBody): void {
    this.type(body.signature);
    this.functions.push(body);
  }

  build(): Uint8Array {
    const out = new Bytes();
    for (const b of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(b);
    section(out, 1, this.typeSection());
    section(out, 2, this.importSection());
    const declared = new Bytes().unsigned(this.functions.length);
    for (const f of this.functions) declared.unsigned(this.type(f.signature));
    section(out, 3, declared);
    section(out, 7, this.exportSection());
    section(out, 10, this.codeSection());
    return out.view().slice();
  }

  private typeSection(): Bytes {
    const out = new Bytes().unsigned(this.types.length);
    for (const t of this.types) {
      out.byte(0x60).unsigned(t.parameters.length);
      for (const p of t.parameters) out.byte(p);
      out.unsigned(t.results.length);
      for (const r of t.results) out.byte(r);
    }
    return out;
  }

  private importSection(): Bytes {
    const out = new Bytes().unsigned(this.imports.length + (this.hasTable ? 2 : 1));
    out.text("m").text("memory").byte(0x02).byte(0x00).unsigned(1);
    if (this.hasTable) out.text("m").text("table").byte(0x01).byte(0x70).byte(0x00).unsigned(1);
    for (const i of this.imports) out.text("m").text(i.name).byte(0x00).unsigned(i.type);
    return out;
  }

  private exportSection(): Bytes {
    const exported = this.functions
      .map((f, i) => ({ name: f.exportAs, index: i + this.imports.length }))
      .filter((f) => f.name !== undefined);
    const out = new Bytes().unsigned(exported.length);
    for (const f of exported) {
      out
        .text(f.name ?? "")
        .byte(0x00)
        .unsigned(f.index);
    }
    return out;
  }

  private codeSection(): Bytes {
    const out = new Bytes().unsigned(this.functions.length);
    for (const f of this.functions) {
      const body = new Bytes().unsigned(f.locals.length);
      for (const local of f.locals) body.unsigned(1).byte(local);
      body.append(f.code.view()).byte(OP.end);
      out.unsigned(body.length).append(body.view());
    }
    return out;
  }
}
