// Makes types of the type entries of .debug_info (DWARF 5 chapter 5), each entry once.
import type {
  ArrayType,
  BaseKind,
  BaseType,
  EnumType,
  FunctionType,
  Member,
  QualifiedType,
  RecordType,
  Type,
} from "../types.ts";
import { At, Encoding, Tag } from "./constants.ts";
import type { Entry } from "./entry.ts";
import { evaluate } from "./expression.ts";
import { asConstant, asExpression, asNumber, asSigned, SIGNED } from "./forms.ts";

const VOID: Type = { kind: "void" };
const QUALIFIERS: Readonly<Record<number, QualifiedType["qualifier"]>> = {
  [Tag.constType]: "const",
  [Tag.volatileType]: "volatile",
  [Tag.restrictType]: "restrict",
  [Tag.atomicType]: "_Atomic",
};

/** Types are lazy: an entry's targets and members are read when they are first asked for. */
export class TypeReader {
  private readonly known = new Map<Entry, Type>();
  private readonly entries = new WeakMap<Type, Entry>();

  /** The type of a variable, member, parameter or other type; none is void. */
  typeOf(entry: Entry): Type {
    const owner = entry.owner(At.type);
    if (!owner) return VOID;
    const target = owner.target(At.type);
    return target ? this.read(target) : unknown("its type entry is missing");
  }

  read(entry: Entry): Type {
    const known = this.known.get(entry);
    if (known) return known;
    // A unit has only a declaration of what stands in a type unit (section 5.7.1).
    const definition = entry.target(At.signature) ?? entry;
    const type = this.make(definition);
    this.known.set(entry, type);
    this.entries.set(type, definition);
    return type;
  }

  /** The entry that a type was read from, or that of a struct's or union's member. */
  entryOf(type: Type, member?: string): Entry | undefined {
    const entry = this.entries.get(type);
    return member === undefined ? entry : entry && memberNamed(entry, member);
  }

  private make(entry: Entry): Type {
    const qualifier = QUALIFIERS[entry.tag];
    if (qualifier) return this.lazy({ kind: "qualified", qualifier }, "target", entry);
    switch (entry.tag) {
      case Tag.baseType:
        return baseType(entry);
      case Tag.pointerType:
      case Tag.referenceType:
      case Tag.rvalueReferenceType: {
        const size = asNumber(entry.get(At.byteSize)) ?? entry.unit.header.addressSize;
        return this.lazy({ kind: "pointer", size }, "target", entry);
      }
      case Tag.structureType:
      case Tag.classType:
      case Tag.unionType:
        return this.record(entry);
      case Tag.enumerationType:
        return this.enumeration(entry);
      case Tag.typedef:
        return this.lazy({ kind: "typedef", name: entry.name ?? "" }, "target", entry);
      case Tag.arrayType:
        return this.array(entry);
      case Tag.subroutineType:
        return this.function(entry);
      case Tag.unspecifiedType:
        return VOID;
      default:
        return unknown(`type entries of tag 0x${entry.tag.toString(16)} are not supported`);
    }
  }

  /** Adds the type of `entry`'s DW_AT_type as a property that is read at first use. */
  private lazy<S extends object, K extends string>(shape: S, key: K, entry: Entry) {
    let type: Type | undefined;
    const read = () => {
      type ??= this.typeOf(entry);
      return type;
    };
    return Object.defineProperty(shape, key, { get: read, enumerable: true }) as S &
      Readonly<Record<K, Type>>;
  }

  private record(entry: Entry): RecordType {
    const read = () => this.members(entry);
    let members: Member[] | undefined;
    return {
      kind: entry.tag === Tag.unionType ? "union" : "struct",
      name: entry.name,
      size: asNumber(entry.get(At.byteSize)) ?? 0,
      isIncomplete: entry.flag(At.declaration),
      get members() {
        members ??= read();
        return members;
      },
    };
  }

  private members(record: Entry): Member[] {
    const members: Member[] = [];
    for (const child of record.children) {
      if (child.tag !== Tag.member) continue;
      const place = memberPlace(child);
      if (place) members.push({ name: child.name ?? "", type: this.typeOf(child), ...place });
    }
    return members;
  }

  private enumeration(entry: Entry): EnumType {
    const size = asNumber(entry.get(At.byteSize)) ?? 4;
    const raw = entry.children
      .filter((child) => child.tag === Tag.enumerator)
      .map((child) => ({ name: child.name ?? "", attribute: child.get(At.constValue) }));
    const under = entry.target(At.type);
    const isSigned = under
      ? baseType(under).isSigned
      : raw.some(({ attribute }) => (asConstant(attribute) ?? 0n) < 0n);
    const enumerators = raw.map(({ name, attribute }) => {
      const bits = asConstant(attribute) ?? 0n;
      const value = isSigned ? BigInt.asIntN(size * 8, bits) : BigInt.asUintN(size * 8, bits);
      return { name, value };
    });
    return { kind: "enum", name: entry.name, size, isSigned, enumerators };
  }

  /** One entry with a subrange for each dimension becomes nested arrays. */
  private array(entry: Entry): Type {
    const counts = entry.children.filter((child) => child.tag === Tag.subrangeType).map(countOf);
    if (counts.length === 0) counts.push(undefined);
    const innermost = counts.pop();
    let type: ArrayType = this.lazy({ kind: "array", count: innermost }, "element", entry);
    for (const count of counts.reverse()) type = { kind: "array", element: type, count };
    return type;
  }

  private function(entry: Entry): FunctionType {
    const parameters = entry.children.filter((child) => child.tag === Tag.formalParameter);
    const shape = {
      kind: "function",
      isPrototyped: entry.flag(At.prototyped),
      isVariadic: entry.children.some((child) => child.tag === Tag.unspecifiedParameters),
    } as const;
    const read = () => parameters.map((each) => this.typeOf(each));
    Object.defineProperty(shape, "parameters", { get: read, enumerable: true });
    return this.lazy(shape, "returns", entry) as unknown as FunctionType;
  }
}

function unknown(reason: string): Type {
  return { kind: "unknown", reason };
}

const BASE_KINDS: Readonly<Record<number, BaseKind>> = {
  [Encoding.address]: "unsigned",
  [Encoding.boolean]: "boolean",
  [Encoding.float]: "float",
  [Encoding.signed]: "signed",
  [Encoding.signedChar]: "char",
  [Encoding.unsigned]: "unsigned",
  [Encoding.unsignedChar]: "char",
  [Encoding.utf]: "char",
};

export function baseType(entry: Entry): BaseType {
  const encoding = asNumber(entry.get(At.encoding)) ?? 0;
  return {
    kind: "base",
    name: entry.name ?? "",
    size: asNumber(entry.get(At.byteSize)) ?? 0,
    base: BASE_KINDS[encoding] ?? "other",
    isSigned: encoding === Encoding.signed || encoding === Encoding.signedChar,
  };
}

/** Elements of a dimension: DW_AT_count, or the upper bound plus one (C counts from 0). */
function countOf(subrange: Entry): number | undefined {
  const count = asNumber(subrange.get(At.count));
  if (count !== undefined) return count;
  const bound = subrange.get(At.upperBound);
  if (bound?.kind !== "constant") return undefined;
  // gcc writes the bound of a zero-length array as -1 in a form as wide as the address.
  const limit = bound.size === SIGNED || bound.size === 8 ? asSigned(bound)! : bound.value;
  return limit >= -1n && limit < 2n ** 53n ? Number(limit) + 1 : undefined;
}

/** More unnamed records within one are those of damaged input. */
const MAX_UNNAMED = 64;

/** A member by its name, those of unnamed structs and unions within among them; each is looked at once. */
function memberNamed(record: Entry, name: string, seen = new Set<Entry>()): Entry | undefined {
  for (const child of record.children) {
    if (child.tag !== Tag.member) continue;
    if (child.name === name) return child;
    const inner = child.name === undefined ? child.type : undefined;
    if (inner === undefined || seen.has(inner) || seen.size >= MAX_UNNAMED) continue;
    seen.add(inner);
    const found = memberNamed(inner.target(At.signature) ?? inner, name, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where a member lies in its record (section 5.7.6); undefined where that cannot be told. */
function memberPlace(member: Entry): Pick<Member, "bitOffset" | "bitSize"> | undefined {
  const byteOffset = memberOffset(member);
  const bitSize = asNumber(member.get(At.bitSize));
  if (byteOffset === undefined) return undefined;
  if (bitSize === undefined) return { bitOffset: byteOffset * 8, bitSize };
  const dataBitOffset = asNumber(member.get(At.dataBitOffset));
  if (dataBitOffset !== undefined) return { bitOffset: byteOffset * 8 + dataBitOffset, bitSize };
  // Until DWARF 3, and in gcc's DWARF 4: counted from the most significant bit of the storage unit.
  const fromTop = asSigned(member.get(At.bitOffset)) ?? 0n;
  const unitSize = asNumber(member.get(At.byteSize)) ?? asNumber(member.type?.get(At.byteSize));
  if (unitSize === undefined) return undefined;
  return { bitOffset: byteOffset * 8 + unitSize * 8 - Number(fromTop) - bitSize, bitSize };
}

/** DW_AT_data_member_location: a constant, or in DWARF 2 an expression over the record's address. */
function memberOffset(member: Entry): number | undefined {
  const value = member.get(At.dataMemberLocation);
  if (!value) return 0;
  const constant = asNumber(value);
  if (constant !== undefined) return constant;
  const expression = asExpression(value);
  if (!expression) return undefined;
  const state = { register: () => undefined, readMemory: () => undefined };
  const { addressSize, offsetSize } = member.unit.header;
  const context = { addressSize, offsetSize, state };
  const location = evaluate(expression, context, [0n]);
  return location.kind === "memory" ? Number(location.address) : undefined;
}
