/**
 * Reads BTF, the types that a Linux kernel carries of itself (Documentation/bpf/btf.rst).
 *
 * Header: u16 magic, u8 version, u8 flags, u32 header length, then u32 offset and length of the types
 * and of the texts, from the header's end. A type: u32 name, u32 info (vlen in bits 0-15, kind in
 * bits 24-28, kind_flag in bit 31), u32 size or target, and what its kind adds. Ids count from 1;
 * 0 is void.
 */
import type { BaseKind, FunctionType, Member, RecordType, Type } from "../types.ts";

const MAGIC = 0xeb9f;
const KIND = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

const INT_SIGNED = 1;
const INT_CHAR = 2;
const INT_BOOL = 4;
const POINTER_SIZE = 8;

/** Bytes that each kind adds to the 12 of every type, and for each of its vlen parts. */
const EXTRA: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  [KIND.int]: [4, 0],
  [KIND.pointer]: [0, 0],
  [KIND.array]: [12, 0],
  [KIND.struct]: [0, 12],
  [KIND.union]: [0, 12],
  [KIND.enum]: [0, 8],
  [KIND.forward]: [0, 0],
  [KIND.typedef]: [0, 0],
  [KIND.volatile]: [0, 0],
  [KIND.const]: [0, 0],
  [KIND.restrict]: [0, 0],
  [KIND.function]: [0, 0],
  [KIND.prototype]: [0, 8],
  [KIND.variable]: [4, 0],
  [KIND.section]: [0, 12],
  [KIND.float]: [0, 0],
  [KIND.declarationTag]: [4, 0],
  [KIND.typeTag]: [0, 0],
  [KIND.enum64]: [0, 12],
};

/** How C spells the kinds that have a tag of their own. */
const TAGS: Readonly<Record<number, string>> = {
  [KIND.struct]: "struct ",
  [KIND.union]: "union ",
  [KIND.enum]: "enum ",
  [KIND.enum64]: "enum ",
  [KIND.typedef]: "",
  [KIND.int]: "",
  [KIND.float]: "",
};

export interface Parameter {
  readonly name: string;
  readonly type: Type;
}

const VOID: Type = { kind: "void" };
const latin = new TextDecoder("latin1");

/** The C types of a kernel. Made by `readBtf`; types are read when they are asked for. */
export class Btf {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly textsAt: number;
  private readonly offsets: readonly number[];
  private readonly types = new Map<number, Type>();
  /** Since 2022 kind_flag tells that enumerators are signed; before, they are without being marked. */
  private readonly areEnumsMarked: boolean;
  private ids: Map<string, number> | undefined;
  private prototypes: Map<string, number> | undefined;

  /** `offsets` has where each type begins, by id. */
  constructor(bytes: Uint8Array, offsets: readonly number[], textsAt: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offsets = offsets;
    this.textsAt = textsAt;
    this.areEnumsMarked = offsets.some((_, id) => id > 0 && this.isMarkedEnum(id));
  }

  private isMarkedEnum(id: number): boolean {
    const kind = this.kindOf(id);
    if (kind === KIND.enum64) return true;
    return kind === KIND.enum && this.u32(this.offsets[id]! + 4) >>> 31 !== 0;
  }

  /** Types there are, void included. */
  get count(): number {
    return this.offsets.length;
  }

  /** By its name in C: "struct task_struct", "u64", "enum pid_type". */
  named(name: string): Type | undefined {
    this.ids ??= this.indexNames();
    const id = this.ids.get(name);
    return id === undefined ? undefined : this.type(id);
  }

  /** Names of types as they stand in C without "struct", "union" or "enum". */
  *untaggedNames(): Generator<string> {
    this.ids ??= this.indexNames();
    for (const name of this.ids.keys()) yield name.replace(/^(?:struct|union|enum) /, "");
  }

  /** The parameters of a function; undefined where it is not described, or not as one thing. */
  parametersOf(functionName: string): Parameter[] | undefined {
    this.prototypes ??= this.indexFunctions();
    const at = this.offsets[this.prototypes.get(functionName) ?? -1];
    if (at === undefined) return undefined;
    return Array.from({ length: this.u32(at + 4) & 0xffff }, (_, i) => ({
      name: this.text(this.u32(at + 12 + 8 * i)),
      type: this.type(this.u32(at + 16 + 8 * i)),
    }));
  }

  /** Ids of prototypes by function; -1, which is none, where two static functions share a name. */
  private indexFunctions(): Map<string, number> {
    const ids = new Map<string, number>();
    for (let id = 1; id < this.offsets.length; id++) {
      if (this.kindOf(id) !== KIND.function) continue;
      const name = this.nameOf(id);
      ids.set(name, ids.has(name) ? -1 : this.u32(this.offsets[id]! + 8));
    }
    return ids;
  }

  private indexNames(): Map<string, number> {
    const ids = new Map<string, number>();
    for (let id = 1; id < this.offsets.length; id++) {
      const tag = TAGS[this.kindOf(id)];
      const name = tag === undefined ? "" : this.nameOf(id);
      if (name !== "" && !ids.has(tag + name)) ids.set(tag + name, id);
    }
    return ids;
  }

  private u32(at: number): number {
    return at + 4 <= this.bytes.length ? this.view.getUint32(at, true) : 0;
  }

  private text(offset: number): string {
    const from = this.textsAt + offset;
    const end = this.bytes.indexOf(0, from);
    return end < 0 ? "" : latin.decode(this.bytes.subarray(from, end));
  }

  private kindOf(id: number): number {
    return (this.u32(this.offsets[id]! + 4) >>> 24) & 0x1f;
  }

  private nameOf(id: number): string {
    return this.text(this.u32(this.offsets[id]!));
  }

  /** The type of that id; what is no type there is `unknown` with a reason. */
  type(id: number): Type {
    if (id === 0) return VOID;
    const known = this.types.get(id);
    if (known) return known;
    const made = this.make(id);
    this.types.set(id, made);
    return made;
  }

  private make(id: number): Type {
    const at = this.offsets[id];
    if (at === undefined) return { kind: "unknown", reason: `there is no BTF type ${id}` };
    const info = this.u32(at + 4);
    const kind = this.kindOf(id);
    const name = this.nameOf(id);
    const sizeOrTarget = this.u32(at + 8);
    const target = () => this.type(sizeOrTarget);
    switch (kind) {
      case KIND.int:
        return this.integer(name, sizeOrTarget, this.u32(at + 12));
      case KIND.float:
        return { kind: "base", name, size: sizeOrTarget, base: "float", isSigned: false };
      case KIND.pointer:
        return lazily({ kind: "pointer", size: POINTER_SIZE }, { target });
      case KIND.array: {
        const element = () => this.type(this.u32(at + 12));
        // A flexible array member has no elements either.
        return lazily({ kind: "array", count: this.u32(at + 20) || undefined }, { element });
      }
      case KIND.struct:
      case KIND.union:
        return this.record(id, name || undefined);
      case KIND.forward: {
        const which = info >>> 31 === 0 ? "struct" : "union";
        return { kind: which, name, size: 0, isIncomplete: true, members: [] };
      }
      case KIND.enum:
      case KIND.enum64:
        return this.enumeration(id, name || undefined);
      case KIND.typedef:
        return lazily({ kind: "typedef", name }, { target });
      case KIND.volatile:
      case KIND.const:
      case KIND.restrict: {
        const words = { 9: "volatile", 10: "const", 11: "restrict" } as const;
        return lazily({ kind: "qualified", qualifier: words[kind] }, { target });
      }
      case KIND.prototype:
        return this.prototype(id);
      case KIND.function:
      case KIND.variable:
      case KIND.typeTag:
        return target();
      default:
        return { kind: "unknown", reason: `BTF type ${id} is none of C's (kind ${kind})` };
    }
  }

  private integer(name: string, size: number, encoding: number): Type {
    const flags = (encoding >>> 24) & 0xf;
    const isSigned = (flags & INT_SIGNED) !== 0;
    let base: BaseKind = isSigned ? "signed" : "unsigned";
    // Only _Bool has a flag in today's BTF: char is a one-byte integer of that name.
    if ((flags & INT_BOOL) !== 0) base = "boolean";
    else if ((flags & INT_CHAR) !== 0 || /\bchar$/.test(name)) base = "char";
    return { kind: "base", name, size, base, isSigned };
  }

  private record(id: number, name: string | undefined): RecordType {
    const at = this.offsets[id]!;
    const info = this.u32(at + 4);
    const kind = this.kindOf(id) === KIND.union ? "union" : "struct";
    const members = () =>
      Array.from({ length: info & 0xffff }, (_, i) => this.member(at + 12 + 12 * i, info >>> 31));
    return lazily({ kind, name, size: this.u32(at + 8), isIncomplete: false }, { members });
  }

  /** With kind_flag the offset has the size of a bit field in its top byte. */
  private member(at: number, kindFlag: number): Member {
    const [name, id, offset] = [this.text(this.u32(at)), this.u32(at + 4), this.u32(at + 8)];
    const type = () => this.type(id);
    if (kindFlag === 0) {
      const [bits, shift] = this.narrowed(id);
      return lazily({ name, bitOffset: offset + shift, bitSize: bits }, { type });
    }
    const bitSize = offset >>> 24 || undefined;
    return lazily({ name, bitOffset: offset & 0xff_ffff, bitSize }, { type });
  }

  /** A bit field as BTF had it first: an integer of fewer bits than its bytes have. */
  private narrowed(id: number): [bits: number | undefined, shift: number] {
    if (id === 0 || id >= this.offsets.length || this.kindOf(id) !== KIND.int)
      return [undefined, 0];
    const at = this.offsets[id]!;
    const encoding = this.u32(at + 12);
    const bits = encoding & 0xff;
    if (bits === this.u32(at + 8) * 8) return [undefined, 0];
    return [bits, (encoding >>> 16) & 0xff];
  }

  private enumeration(id: number, name: string | undefined): Type {
    const at = this.offsets[id]!;
    const info = this.u32(at + 4);
    const isSigned = !this.areEnumsMarked || info >>> 31 !== 0;
    const is64 = this.kindOf(id) === KIND.enum64;
    const enumerators = () =>
      Array.from({ length: info & 0xffff }, (_, i) => {
        const part = at + 12 + (is64 ? 12 : 8) * i;
        const low = BigInt(this.u32(part + 4));
        const bits = is64 ? low | (BigInt(this.u32(part + 8)) << 32n) : low;
        const value = isSigned ? BigInt.asIntN(is64 ? 64 : 32, bits) : bits;
        return { name: this.text(this.u32(part)), value };
      });
    return lazily({ kind: "enum", name, size: this.u32(at + 8), isSigned }, { enumerators });
  }

  /** A last parameter without name and type stands for "...". */
  private prototype(id: number): FunctionType {
    const at = this.offsets[id]!;
    const count = this.u32(at + 4) & 0xffff;
    const last = at + 12 + 8 * (count - 1);
    const isVariadic = count > 0 && this.u32(last) === 0 && this.u32(last + 4) === 0;
    const returns = () => this.type(this.u32(at + 8));
    const parameters = () =>
      Array.from({ length: isVariadic ? count - 1 : count }, (_, i) =>
        this.type(this.u32(at + 16 + 8 * i)),
      );
    return lazily({ kind: "function", isPrototyped: true, isVariadic }, { returns, parameters });
  }
}

/** Adds properties that are computed when they are first read: types may be recursive. */
function lazily<Known extends object, Lazy extends Record<string, () => unknown>>(
  known: Known,
  lazy: Lazy,
): Known & { readonly [K in keyof Lazy]: ReturnType<Lazy[K]> } {
  for (const [name, make] of Object.entries(lazy)) {
    const get = () => {
      const value = make();
      Object.defineProperty(known, name, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(known, name, { get, configurable: true, enumerable: true });
  }
  return known as Known & { readonly [K in keyof Lazy]: ReturnType<Lazy[K]> };
}

/** Undefined where the bytes are no BTF of version 1 or are cut short. */
export function readBtf(bytes: Uint8Array): Btf | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 24 || view.getUint16(0, true) !== MAGIC || bytes[2] !== 1) return undefined;
  const [header, typesAt, typesLength, textsAt, textsLength] = [4, 8, 12, 16, 20].map((at) =>
    view.getUint32(at, true),
  ) as [number, number, number, number, number];
  const end = header + typesAt + typesLength;
  if (end > bytes.length || header + textsAt + textsLength > bytes.length) return undefined;
  const offsets = [0];
  for (let at = header + typesAt; at + 12 <= end; ) {
    offsets.push(at);
    const info = view.getUint32(at + 4, true);
    const extra = EXTRA[(info >>> 24) & 0x1f];
    if (extra === undefined) break;
    at += 12 + extra[0] + extra[1] * (info & 0xffff);
  }
  return new Btf(bytes, offsets, header + textsAt);
}
