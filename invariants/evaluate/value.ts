/** What expressions of the invariant language are worth, and the third value: unknown. */
import type { Type as CType } from "../../symbols/types.ts";
import type { Space } from "../language/types.ts";
import type { RecordModel } from "../model/record.ts";

/** Not known, and why: a phrase that ends a sentence. */
export class Unknown {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** [first, end). */
export interface Bounds {
  readonly first: bigint;
  readonly end: bigint;
}

/** A set of bytes: ascending bounds that neither overlap nor touch. */
export interface RangeValue {
  readonly kind: "range";
  readonly space: Space;
  readonly bounds: readonly Bounds[];
}

export interface RecordValue {
  readonly kind: "record";
  readonly model: RecordModel;
  /** What the model's rows read. */
  readonly of: unknown;
}

/** Elements may be unknown one by one. */
export interface ListValue {
  readonly kind: "list";
  readonly elements: readonly Result[];
}

/** An object of the program's: its bytes in host-virtual memory, or its value where it has no home. */
export interface CValue {
  readonly kind: "c";
  readonly type: CType;
  readonly address: bigint | undefined;
  /** For a bit field: bits from the address on. */
  readonly bits?: { readonly offset: number; readonly size: number };
  /** Little-endian, where there is no address. */
  readonly bytes?: Uint8Array;
}

export type Value = bigint | boolean | RangeValue | RecordValue | ListValue | CValue;
export type Result = Value | Unknown;

/** Host-physical bytes that a value was read from. */
export interface Bytes {
  readonly first: number;
  readonly bytes: number;
  /** Bits, little-endian, that the CPU changes by itself and that do not matter. */
  readonly statusBits: bigint;
}

export function isUnknown(result: Result): result is Unknown {
  return result instanceof Unknown;
}

/** Whether two results are the same: lists and C objects without an address by identity. */
export function sameResult(a: Result, b: Result): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (isUnknown(a) || isUnknown(b)) return isUnknown(a) && isUnknown(b) && a.reason === b.reason;
  if (a.kind === "range") return b.kind === "range" && sameBounds(a.bounds, b.bounds);
  if (a.kind === "record") {
    return b.kind === "record" && a.model === b.model && a.model.same(a.of, b.of);
  }
  if (a.kind !== "c" || b.kind !== "c" || a.address === undefined) return false;
  return a.address === b.address && a.type === b.type && a.bits?.offset === b.bits?.offset;
}

function sameBounds(a: readonly Bounds[], b: readonly Bounds[]): boolean {
  const isSame = (each: Bounds, i: number) => each.first === b[i]?.first && each.end === b[i]?.end;
  return a.length === b.length && a.every(isSame);
}

export function rangeValue(space: Space, bounds: readonly Bounds[]): RangeValue {
  return { kind: "range", space, bounds: joined(bounds) };
}

/** One piece; empty if it has no bytes. */
export function span(space: Space, first: bigint, bytes: bigint): RangeValue {
  return { kind: "range", space, bounds: bytes > 0n ? [{ first, end: first + bytes }] : [] };
}

function joined(bounds: readonly Bounds[]): readonly Bounds[] {
  if (bounds.length < 2) return bounds.filter(({ first, end }) => first < end);
  const result: { first: bigint; end: bigint }[] = [];
  const ascending = [...bounds].sort((a, b) =>
    a.first < b.first ? -1 : a.first > b.first ? 1 : 0,
  );
  for (const { first, end } of ascending) {
    const last = result.at(-1);
    if (first >= end) continue;
    if (last === undefined || first > last.end) result.push({ first, end });
    else if (end > last.end) last.end = end;
  }
  return result;
}

export function rangesMeet(a: RangeValue, b: RangeValue): boolean {
  return a.bounds.some((x) => b.bounds.some((y) => x.first < y.end && y.first < x.end));
}

export function rangeWithin(a: RangeValue, b: RangeValue): boolean {
  return a.bounds.every((x) => b.bounds.some((y) => y.first <= x.first && x.end <= y.end));
}

export function rangeSize({ bounds }: RangeValue): bigint {
  return bounds.reduce((sum, { first, end }) => sum + end - first, 0n);
}
