/** Objects of the program's as values: members, elements, pointers, and the integers that they hold. */
import { type Type as CType, sizeOf, stripped } from "../../symbols/types.ts";
import { bytesValue } from "../bytes-value.ts";
import { findMember } from "../language/c-types.ts";
import type { View } from "../model/view.ts";
import { type Bytes, type CValue, type Result, Unknown } from "./value.ts";

const PAGE = 4096n;
const MOST_BYTES = 16;

/** Host-physical address of a linear one of the host's; undefined where it is not mapped to RAM. */
function physical(address: bigint, { machine, pages, paging }: View): number | undefined {
  const found = pages.physical(BigInt.asUintN(64, address), paging);
  return found === undefined || machine.memory.pointer(found) < 0 ? undefined : found;
}

/** Bytes of the host's linear memory; undefined where one of them is not mapped. */
export function readLinear(address: bigint, length: number, view: View): Uint8Array | undefined {
  if (Number(BigInt.asUintN(12, address)) + length <= Number(PAGE)) {
    const first = physical(address, view);
    return first === undefined ? undefined : view.machine.memory.peek(first, length);
  }
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, address + BigInt(done));
    const first = physical(at, view);
    if (first === undefined) return undefined;
    const count = Math.min(length - done, Number(PAGE - (at % PAGE)));
    bytes.set(view.machine.memory.peek(first, count), done);
    done += count;
  }
  return bytes;
}

function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

function at(type: CType, address: bigint): CValue {
  return { kind: "c", type, address };
}

export function cMember(object: CValue, name: string): Result {
  const record = stripped(object.type);
  const found =
    record.kind === "struct" || record.kind === "union" ? findMember(record, name) : undefined;
  if (found === undefined) return new Unknown(`${name} is not found`);
  const { type, bitOffset, bitSize } = found;
  const first = Math.floor(bitOffset / 8);
  const bits = bitSize === undefined ? {} : { bits: { offset: bitOffset % 8, size: bitSize } };
  if (object.address === undefined) {
    const bytes = object.bytes?.subarray(first) ?? new Uint8Array(0);
    return { kind: "c", type, address: undefined, bytes, ...bits };
  }
  return { kind: "c", type, address: object.address + BigInt(first), ...bits };
}

export function cElement(object: CValue, index: bigint, view: View): Result {
  const type = stripped(object.type);
  const element =
    type.kind === "array" ? type.element : type.kind === "pointer" ? type.target : undefined;
  const size = element && sizeOf(element);
  if (element === undefined || size === undefined) return new Unknown("its elements have no size");
  if (
    type.kind === "array" &&
    type.count !== undefined &&
    (index < 0n || index >= BigInt(type.count))
  ) {
    return new Unknown(`the array has no element ${index}: it has ${type.count}`);
  }
  const base = type.kind === "array" ? object.address : cLoad(object, view);
  if (base === undefined) return new Unknown("it is in no memory");
  if (typeof base !== "bigint") return base;
  return at(element, base + index * BigInt(size));
}

export function cDereference(pointer: CValue, view: View): Result {
  const type = stripped(pointer.type);
  if (type.kind !== "pointer") return new Unknown("it is no pointer");
  const address = cLoad(pointer, view);
  if (typeof address !== "bigint") return address;
  return address === 0n ? new Unknown("the pointer is null") : at(type.target, address);
}

/** A pointer that is in no memory. */
export function cPointer(type: CType, value: bigint): CValue {
  const bytes = new Uint8Array(new BigUint64Array([BigInt.asUintN(64, value)]).buffer);
  return { kind: "c", type, address: undefined, bytes: bytes.subarray(0, sizeOf(type)) };
}

export function cAddress(object: CValue): Result {
  return object.address ?? new Unknown("it is in no memory");
}

/** The integer that an object holds. */
export function cLoad(object: CValue, view: View): Result {
  return cLoader(object)(view);
}

/** How to read the integer that an object holds. */
export function cLoader(object: CValue): (view: View) => Result {
  const { address, bits } = object;
  const size = bits === undefined ? sizeOf(object.type) : Math.ceil((bits.offset + bits.size) / 8);
  if (size === undefined || size > MOST_BYTES) return () => new Unknown("it is no integer");
  const width = bits?.size ?? 8 * size;
  const shift = BigInt(bits?.offset ?? 0);
  const hasSign = isSigned(object.type);
  return (view) => {
    const bytes =
      address === undefined ? object.bytes?.subarray(0, size) : readLinear(address, size, view);
    if (bytes === undefined || bytes.length < size) {
      return new Unknown(
        address === undefined
          ? "its value is not known"
          : `hva:${hex(address)} is not mapped to RAM`,
      );
    }
    const value = BigInt.asUintN(width, bytesValue(bytes) >> shift);
    return hasSign ? BigInt.asIntN(width, value) : value;
  };
}

function isSigned(type: CType): boolean {
  const c = stripped(type);
  return (c.kind === "base" || c.kind === "enum") && c.isSigned;
}

/** Where the object lies in physical memory; undefined where it is in none, or crosses a page. */
export function cBytes(object: CValue, view: View): Bytes | undefined {
  const { address, bits } = object;
  const size = bits === undefined ? sizeOf(object.type) : Math.ceil((bits.offset + bits.size) / 8);
  if (address === undefined || size === undefined || size > 4096) return undefined;
  const first = physical(address, view);
  if (first === undefined || (first % 4096) + size > 4096) return undefined;
  return { first, bytes: size, statusBits: 0n };
}

/** The elements of an array of known length. */
export function cElements(object: CValue, view: View): Result {
  const type = stripped(object.type);
  const count = type.kind === "array" ? type.count : undefined;
  if (count === undefined) return new Unknown("it is no array of known length");
  const elements = Array.from({ length: count }, (_, i) => cElement(object, BigInt(i), view));
  return { kind: "list", elements };
}
