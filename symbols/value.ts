// Reads typed values into trees for the Locals view; children are read when they are asked for.
import {
  type FrameState,
  type Location,
  readLocation,
  readLocationBits,
  toBytes,
} from "./location.ts";
import { type BaseType, type Member, sizeOf, stripped, type Type, typeName } from "./types.ts";

export interface FormatOptions {
  /** Integers in hexadecimal; the default. Otherwise in decimal. */
  readonly hex?: boolean;
}

/** One line of a variables view. */
export interface Value {
  readonly name: string;
  /** In C syntax. */
  readonly type: string;
  /** What to show: the value, or "<reason>" where it cannot be had. */
  readonly text: string;
  /** Why there is no value; undefined where there is one. */
  readonly unavailable: string | undefined;
  /** The number itself, where the type is an integer, enumeration, pointer or boolean. */
  readonly number: bigint | undefined;
  /** Where the value lies in memory; undefined for values in registers and bit fields. */
  readonly address: bigint | undefined;
  readonly childCount: number;
  /** Children from `start`, at most `count` of them (arrays may be huge). */
  children(start?: number, count?: number): Value[];
}

/** A place of a given type, as a subrange of an object's location. */
interface Place {
  readonly name: string;
  readonly type: Type;
  readonly location: Location;
  /** In bytes from the start of the object. */
  readonly offset: number;
  readonly bitOffset?: number;
  readonly bitSize?: number;
}

const MAX_TEXT = 200;
const MAX_CHILDREN = 10_000;

/** The value of `type` at `location`. Never throws; what cannot be read says why. */
export function readValue(
  name: string,
  type: Type,
  location: Location,
  state: FrameState,
  options: FormatOptions = {},
): Value {
  return new ValueReader(state, options).value({ name, type, location, offset: 0 });
}

class ValueReader {
  private readonly state: FrameState;
  private readonly hex: boolean;

  constructor(state: FrameState, options: FormatOptions) {
    this.state = state;
    this.hex = options.hex ?? true;
  }

  value(place: Place): Value {
    const shown = this.describe(place);
    const { location, offset } = place;
    const inMemory = location.kind === "memory" && place.bitSize === undefined;
    const childCount = shown.unavailable === undefined ? this.childCount(place) : 0;
    return {
      name: place.name,
      type: typeName(place.type),
      text: shown.text,
      unavailable: shown.unavailable,
      number: shown.number,
      address: inMemory ? location.address + BigInt(offset) : undefined,
      childCount,
      children: (start = 0, count = MAX_CHILDREN) => this.children(place, childCount, start, count),
    };
  }

  private describe(place: Place): { text: string; unavailable?: string; number?: bigint } {
    const type = stripped(place.type);
    if (place.location.kind === "unavailable") return missing(place.location.reason);
    switch (type.kind) {
      case "base":
        return this.scalar(place, type.size, (bits) => this.base(type, place, bits));
      case "enum":
        return this.scalar(place, type.size, (bits, width) => {
          const value = type.isSigned ? BigInt.asIntN(width, bits) : bits;
          const named = type.enumerators.find((each) => each.value === value);
          return { text: named?.name ?? this.flagNames(type.enumerators, value), number: value };
        });
      case "pointer":
        return this.scalar(place, type.size, (bits) => this.pointer(type.target, bits));
      case "array":
        return this.array(place, type.element, type.count);
      case "struct":
      case "union":
        return type.isIncomplete ? missing("the type is only declared") : { text: "{...}" };
      case "function":
        return { text: "{function}" };
      case "void":
        return missing("void has no value");
      default:
        return missing(type.reason);
    }
  }

  private scalar(
    place: Place,
    size: number,
    show: (bits: bigint, width: number) => { text: string; number?: bigint },
  ) {
    const width = place.bitSize ?? size * 8;
    const start = place.bitOffset ?? 0;
    const offset = place.offset * 8 + start;
    const read = readLocationBits(place.location, offset, width, this.state);
    return read.bits === undefined ? missing(read.unavailable) : show(read.bits, width);
  }

  private base(type: BaseType, place: Place, bits: bigint): { text: string; number?: bigint } {
    const width = place.bitSize ?? type.size * 8;
    if (type.base === "float") return { text: floatText(bits, type.size) };
    const value = type.isSigned ? BigInt.asIntN(width, bits) : bits;
    if (type.base === "boolean") {
      return {
        text: bits === 0n ? "false" : bits === 1n ? "true" : this.integer(bits),
        number: bits,
      };
    }
    if (type.base === "char" && type.size === 1) {
      const shown = bits >= 0x20n && bits < 0x7fn ? ` '${charText(Number(bits))}'` : "";
      return { text: this.integer(this.hex ? bits : value) + shown, number: value };
    }
    return { text: this.integer(this.hex ? bits : value), number: value };
  }

  private pointer(target: Type, bits: bigint): { text: string; number: bigint } {
    const to = stripped(target);
    const text = `0x${bits.toString(16)}`;
    if (bits === 0n || to.kind !== "base" || to.base !== "char" || to.size !== 1) {
      return { text, number: bits };
    }
    const shown = this.string(bits);
    return { text: shown === undefined ? text : `${text} ${shown}`, number: bits };
  }

  /** A C string in memory; read in short steps so that it may end just before a hole. */
  private string(address: bigint): string | undefined {
    let text = "";
    for (let at = address; text.length < MAX_TEXT; ) {
      const step = 16 - Number(at & 15n);
      const bytes = this.state.readMemory(at, step);
      if (!bytes) return text === "" ? undefined : `"${text}"...`;
      const nul = bytes.indexOf(0);
      for (const byte of nul < 0 ? bytes : bytes.subarray(0, nul)) text += charText(byte, '"');
      if (nul >= 0) return `"${text}"`;
      at = BigInt.asUintN(64, at + BigInt(step));
    }
    return `"${text}"...`;
  }

  private array(place: Place, element: Type, count: number | undefined) {
    const of = stripped(element);
    if (of.kind !== "base" || of.base !== "char" || of.size !== 1 || !count) {
      return { text: `[${count ?? ""}]` };
    }
    const read = readLocation(place.location, place.offset, Math.min(count, MAX_TEXT), this.state);
    if (!read.bytes) return missing(read.unavailable);
    const nul = read.bytes.indexOf(0);
    const shown = nul < 0 ? read.bytes : read.bytes.subarray(0, nul);
    const text = Array.from(shown, (byte) => charText(byte, '"')).join("");
    return { text: `"${text}"${nul < 0 && count > MAX_TEXT ? "..." : ""}` };
  }

  private childCount(place: Place): number {
    const type = stripped(place.type);
    if (type.kind === "struct" || type.kind === "union") return type.members.length;
    if (type.kind === "array") return sizeOf(type.element) === undefined ? 0 : (type.count ?? 0);
    if (type.kind !== "pointer") return 0;
    const target = stripped(type.target);
    return target.kind === "void" || target.kind === "function" || target.kind === "unknown"
      ? 0
      : 1;
  }

  private children(place: Place, total: number, start: number, count: number): Value[] {
    const first = Math.max(0, Math.min(start, total));
    const last = Math.min(total, first + Math.max(0, Math.min(count, MAX_CHILDREN)));
    const children: Value[] = [];
    for (let i = first; i < last; i++) children.push(this.value(this.child(place, i)));
    return children;
  }

  private child(place: Place, index: number): Place {
    const type = stripped(place.type);
    if (type.kind === "array") {
      const offset = place.offset + index * (sizeOf(type.element) ?? 0);
      return { name: `[${index}]`, type: type.element, location: place.location, offset };
    }
    if (type.kind === "struct" || type.kind === "union") {
      return memberPlace(place, type.members[index]!);
    }
    const target = type.kind === "pointer" ? type.target : place.type;
    return { name: `*${place.name}`, type: target, location: this.pointee(place), offset: 0 };
  }

  private pointee(place: Place): Location {
    const { number, unavailable } = this.describe(place);
    if (number !== undefined) return { kind: "memory", address: number };
    return { kind: "unavailable", reason: unavailable ?? "not a pointer" };
  }

  /** "A | B" where the value is a union of single-bit enumerators, else the number. */
  private flagNames(enumerators: readonly { name: string; value: bigint }[], value: bigint) {
    let rest = value;
    const names: string[] = [];
    for (const each of enumerators) {
      const isBit = each.value > 0n && (each.value & (each.value - 1n)) === 0n;
      if (!isBit || (rest & each.value) === 0n) continue;
      names.push(each.name);
      rest &= ~each.value;
    }
    return rest === 0n && names.length > 1 ? names.join(" | ") : this.integer(value);
  }

  private integer(value: bigint): string {
    if (!this.hex) return value.toString();
    return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
  }
}

function memberPlace(record: Place, member: Member): Place {
  const { name, type, bitOffset, bitSize } = member;
  const offset = record.offset + Math.floor(bitOffset / 8);
  const place = { name, type, location: record.location, offset };
  return bitSize === undefined ? place : { ...place, bitOffset: bitOffset % 8, bitSize };
}

function missing(reason: string): { text: string; unavailable: string } {
  return { text: `<${reason}>`, unavailable: reason };
}

function charText(code: number, quote = "'"): string {
  const named: Readonly<Record<number, string>> = { 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\" };
  const text = named[code];
  if (text) return text;
  if (code < 0x20 || code >= 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  const character = String.fromCharCode(code);
  return character === quote ? `\\${character}` : character;
}

function floatText(bits: bigint, size: number): string {
  const view = new DataView(toBytes(bits, 16).buffer);
  if (size === 4) return String(view.getFloat32(0, true));
  if (size === 8) return String(view.getFloat64(0, true));
  return `0x${bits.toString(16)} (${size}-byte float)`;
}
