/** Values of C types: objects in memory or registers, and values that live nowhere. */

import { type Location, readLocation, readLocationBits, toBytes } from "../../symbols/location.ts";
import { type Member, sizeOf, stripped, type Type, typeName } from "../../symbols/types.ts";
import { readValue } from "../../symbols/value.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import { UserError } from "../text.ts";
import type { Bits, ValuePlace } from "../value-place.ts";
import { floatOf } from "./floats.ts";
import type { Home } from "./home.ts";
import type { NamedTerm, ShowOptions, Term } from "./term.ts";
import { stringAt, wholeText } from "./whole-text.ts";

interface Scalar {
  readonly number?: bigint;
  readonly real?: number;
  readonly unavailable?: string;
}

/** The object of the type at the location; `bits` of it for a bit field. */
export function objectTerm(home: Home, type: Type, location: Location, bits?: Bits): Term {
  return new ObjectTerm(home, type, location, 0, bits);
}

/** A value that lives nowhere, given by its bits. */
export function valueTerm(home: Home, type: Type, bits: bigint): Term {
  const bytes = toBytes(bits, sizeOf(type) ?? 8);
  return new ObjectTerm(home, type, { kind: "value", bytes }, 0);
}

/** Characters of a structure that are shown where there is no room for all of it. */
const PREVIEW = 60;

const isAggregate = ({ kind }: { readonly kind: string }): boolean =>
  kind === "struct" || kind === "union" || kind === "array";

class ObjectTerm implements Term {
  readonly home: Home;
  readonly ctype: Type;
  private readonly location: Location;
  /** In bytes; 0 in memory. */
  private readonly offset: number;
  private readonly bits: Bits | undefined;
  private known: Scalar | undefined;

  constructor(home: Home, type: Type, location: Location, offset: number, bits?: Bits) {
    this.home = home;
    this.ctype = type;
    this.bits = bits;
    const inMemory = location.kind === "memory";
    this.offset = inMemory ? 0 : offset;
    this.location =
      inMemory && offset !== 0
        ? { kind: "memory", address: BigInt.asUintN(64, location.address + BigInt(offset)) }
        : location;
  }

  /** The same object, to be read anew. */
  readonly again = (): Term =>
    new ObjectTerm(this.home, this.ctype, this.location, this.offset, this.bits);

  get type(): string {
    return typeName(this.ctype);
  }

  get size(): number | undefined {
    return sizeOf(this.ctype);
  }

  get bitWidth(): number | undefined {
    return this.bits?.width;
  }

  get number(): bigint | undefined {
    return this.scalar.number;
  }

  get real(): number | undefined {
    return this.scalar.real;
  }

  get unavailable(): string | undefined {
    return this.scalar.unavailable;
  }

  private get scalar(): Scalar {
    this.known ??= this.read();
    return this.known;
  }

  private read(): Scalar {
    const type = stripped(this.ctype);
    if (this.location.kind === "unavailable") return { unavailable: this.location.reason };
    if (type.kind === "unknown") return { unavailable: type.reason };
    if (type.kind === "void") return { unavailable: "void has no value" };
    if (type.kind !== "base" && type.kind !== "enum" && type.kind !== "pointer") {
      const missing = "isIncomplete" in type && type.isIncomplete;
      return missing ? { unavailable: "the type is only declared" } : {};
    }
    const width = this.bits?.width ?? type.size * 8;
    const start = this.bits?.offset ?? 0;
    const { location, offset, home } = this;
    const read = readLocationBits(location, offset * 8 + start, width, home.state);
    if (read.bits === undefined) return { unavailable: read.unavailable };
    const { bits } = read;
    if (type.kind === "base" && type.base === "float") return { real: floatOf(bits, type.size) };
    const isSigned = type.kind !== "pointer" && type.isSigned;
    return { number: isSigned ? BigInt.asIntN(width, bits) : bits };
  }

  /** Where the value lives in memory; bit fields begin inside the first byte. */
  private get address(): bigint | undefined {
    return this.location.kind === "memory" ? this.location.address : undefined;
  }

  get reference(): string | undefined {
    const { space } = this.home;
    const type = stripped(this.ctype);
    const isPointer = type.kind === "pointer" && !this.bits && this.number !== undefined;
    const address = isPointer && this.number !== 0n ? this.number : this.address;
    if (space === undefined || address === undefined) return undefined;
    return formatReference({ space, address });
  }

  get place(): ValuePlace | undefined {
    const found = this.placeOrReason();
    return typeof found === "string" ? undefined : found;
  }

  get fixedBecause(): string | undefined {
    const found = this.placeOrReason();
    return typeof found === "string" ? found : undefined;
  }

  private placeOrReason(): ValuePlace | string {
    const { location, bits, size, offset, home } = this;
    if (size === undefined) return "its size is not known";
    switch (location.kind) {
      case "memory": {
        if (home.space === undefined) return "its address belongs to no known space";
        const { space } = home;
        const { address } = location;
        if (bits === undefined) return { kind: "memory", space, address, size };
        const touched = Math.ceil((bits.offset + bits.width) / 8);
        return { kind: "memory", space, address, size: touched, bits };
      }
      case "register":
        return this.registerPlace(location.register, offset, size);
      case "value":
        return "it is a value that lives nowhere";
      case "pieces":
        return "it is split over several places";
      case "unavailable":
        return location.reason;
    }
  }

  private registerPlace(register: number, offset: number, size: number): ValuePlace | string {
    const { bits } = this;
    const place = this.home.registerPlace?.(register, size) ?? "its register is not known";
    if (typeof place === "string" || (offset === 0 && bits === undefined)) return place;
    const first = offset * 8 + (bits?.offset ?? 0);
    return { ...place, bits: { offset: first, width: bits?.width ?? size * 8 } } as ValuePlace;
  }

  get shown(): string {
    return this.show({});
  }

  show(options: ShowOptions): string {
    if (options.whole) return wholeText(this, options);
    const { number } = this;
    const type = stripped(this.ctype);
    if (isAggregate(type) && this.unavailable === undefined && !this.isText()) {
      return wholeText(this, options, PREVIEW);
    }
    const text = readValue("", this.ctype, this.shownLocation(), this.home.state, {
      hex: options.hex ?? true,
    }).text;
    if (type.kind !== "pointer" || number === undefined || number === 0n) return text;
    const target = stripped(type.target);
    const name = target.kind === "function" ? this.home.nameOf?.(number) : undefined;
    return name === undefined ? text : `${text} <${name}>`;
  }

  /** Whether it is an array of characters, which is shown as text. */
  private isText(): boolean {
    const type = stripped(this.ctype);
    const element = type.kind === "array" ? stripped(type.element) : undefined;
    return element?.kind === "base" && element.base === "char" && element.size === 1;
  }

  /** Where a reader of whole values finds this one. */
  private shownLocation(): Location {
    const { location, offset, bits, number, size = 0 } = this;
    if (bits !== undefined && number !== undefined) {
      return { kind: "value", bytes: toBytes(number, size) };
    }
    if (offset === 0) return location;
    const read = readLocation(location, offset, size, this.home.state);
    if (read.bytes === undefined) return { kind: "unavailable", reason: read.unavailable };
    return { kind: "value", bytes: read.bytes };
  }

  readonly member = (name: string): Term | undefined => {
    const type = stripped(this.ctype);
    if (type.kind === "pointer") return this.target()?.member?.(name);
    if (type.kind !== "struct" && type.kind !== "union") return undefined;
    for (const each of type.members) {
      if (each.name === name) return this.memberTerm(each);
      if (each.name !== "") continue;
      const inner = this.memberTerm(each).member?.(name);
      if (inner) return inner;
    }
    return undefined;
  };

  readonly memberNames = () => memberNames(this.ctype);

  private memberTerm({ type, bitOffset, bitSize }: Member): Term {
    const offset = this.offset + Math.floor(bitOffset / 8);
    const bits = bitSize === undefined ? undefined : { offset: bitOffset % 8, width: bitSize };
    return new ObjectTerm(this.home, type, this.location, offset, bits);
  }

  readonly index = (index: bigint): Term | undefined => {
    const type = stripped(this.ctype);
    if (type.kind === "pointer") return this.pointee(type.target, index);
    if (type.kind !== "array") return undefined;
    const { element, count } = type;
    const size = sizeOf(element);
    if (size === undefined) throw new UserError(`the size of ${typeName(element)} is not known`);
    if (count && (index < 0n || index >= BigInt(count))) {
      throw new UserError(`[${index}] is outside of ${this.type}`);
    }
    const { address } = this;
    if (address !== undefined) return this.objectAt(element, address + index * BigInt(size));
    return new ObjectTerm(this.home, element, this.location, this.offset + Number(index) * size);
  };

  readonly target = (): Term | undefined => {
    const type = stripped(this.ctype);
    if (type.kind === "array") return this.index(0n);
    return type.kind === "pointer" ? this.pointee(type.target, 0n) : undefined;
  };

  private pointee(target: Type, index: bigint): Term {
    const { number, unavailable } = this;
    if (number === undefined) {
      return new ObjectTerm(
        this.home,
        target,
        { kind: "unavailable", reason: unavailable ?? "not a pointer" },
        0,
      );
    }
    const size = index === 0n ? 0 : (sizeOf(target) ?? 1);
    return this.objectAt(target, number + index * BigInt(size));
  }

  private objectAt(type: Type, address: bigint): Term {
    const wrapped = BigInt.asUintN(64, address);
    return new ObjectTerm(this.home, type, { kind: "memory", address: wrapped }, 0);
  }

  get childCount(): number {
    const type = stripped(this.ctype);
    if (this.unavailable !== undefined) return 0;
    if (type.kind === "struct" || type.kind === "union") return type.members.length;
    if (type.kind === "array") return sizeOf(type.element) === undefined ? 0 : (type.count ?? 0);
    if (type.kind !== "pointer" || this.number === 0n) return 0;
    return ["void", "function", "unknown"].includes(stripped(type.target).kind) ? 0 : 1;
  }

  readonly children = (start: number, count: number): readonly NamedTerm[] => {
    const type = stripped(this.ctype);
    const end = Math.min(this.childCount, start + count);
    const children: NamedTerm[] = [];
    for (let i = Math.max(0, start); i < end; i++) {
      if (type.kind === "struct" || type.kind === "union") {
        const member = type.members[i] as Member;
        children.push(memberChild(member.name, this.memberTerm(member)));
      } else if (type.kind === "array") {
        const term = this.index(BigInt(i)) as Term;
        children.push({ name: `[${i}]`, term, expression: (whole) => `${grouped(whole)}[${i}]` });
      } else {
        const term = this.target() as Term;
        children.push({ name: "*", term, expression: (whole) => `*${grouped(whole)}` });
      }
    }
    return children;
  };

  /** The text of a C string that this is or points at, up to `limit` bytes; else undefined. */
  string(limit: number): string | undefined {
    const type = stripped(this.ctype);
    if (type.kind !== "pointer" && type.kind !== "array") return undefined;
    const element = stripped(type.kind === "pointer" ? type.target : type.element);
    if (element.kind !== "base" || element.size !== 1) return undefined;
    if (type.kind === "pointer") {
      return this.number === undefined ? undefined : stringAt(this.home, this.number, limit)?.text;
    }
    const length = Math.min(type.count ?? limit, limit);
    const read = readLocation(this.location, this.offset, length, this.home.state);
    if (read.bytes === undefined) return undefined;
    const nul = read.bytes.indexOf(0);
    return String.fromCharCode(...(nul < 0 ? read.bytes : read.bytes.subarray(0, nul)));
  }

  /** All bytes, for assigning a structure. */
  bytes(): Uint8Array | undefined {
    return readLocation(this.location, this.offset, this.size ?? 0, this.home.state).bytes;
  }
}

export type { ObjectTerm };

export const asObject = (term: Term): ObjectTerm | undefined =>
  term instanceof ObjectTerm ? term : undefined;

const POSTFIX = /^[\w$!]+(?:(?:\.|->)\w+|\[[^[\]]*\])*$/;
const grouped = (whole: string): string => (POSTFIX.test(whole) ? whole : `(${whole})`);

/** "p->x" rather than "(*p).x". */
function memberChild(name: string, term: Term): NamedTerm {
  if (name === "") return { name, term, expression: (whole) => whole };
  return {
    name,
    term,
    expression: (whole) =>
      whole.startsWith("*") && POSTFIX.test(whole.slice(1))
        ? `${whole.slice(1)}->${name}`
        : `${grouped(whole)}.${name}`,
  };
}

/** Names of members, those of unnamed ones included. */
function memberNames(of: Type, depth = 0): { name: string; type: string }[] {
  const whole = stripped(of);
  const type = whole.kind === "pointer" && depth === 0 ? stripped(whole.target) : whole;
  if ((type.kind !== "struct" && type.kind !== "union") || depth > 8) return [];
  return type.members.flatMap((each) =>
    each.name === ""
      ? memberNames(each.type, depth + 1)
      : [{ name: each.name, type: typeName(each.type) }],
  );
}
