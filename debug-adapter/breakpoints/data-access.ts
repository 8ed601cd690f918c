/** What a data breakpoint says of an access: old and new value of its bytes, and who did it. */

import { bitsOf, fromBytes } from "../../symbols/location.ts";
import { placeName } from "../place-access.ts";
import { hex } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import type { Hit } from "./breakpoint.ts";

export type AccessType = "read" | "write" | "readWrite";

/** An access to memory of which some bytes are watched. */
export interface MemoryAccess {
  /** From the first watched byte to the first that was accessed; negative if that is before it. */
  readonly offset: number;
  readonly size: number;
  readonly write: boolean;
  readonly before: bigint;
}

/** Values longer than this are told by the bytes that the access touched. */
const LONGEST_VALUE = 16;

export function wantsAccess(type: AccessType, write: boolean): boolean {
  return type === "readWrite" || (type === "write") === write;
}

/** Bytes that a place has in memory, all those that a bit field touches included. */
export function watchedBytes(size: number, bits: ValuePlace["bits"]): number {
  return bits === undefined ? size : Math.ceil((bits.offset + bits.width) / 8);
}

/**
 * Old and new value of the watched bytes, of which `read` gives those from `offset` on as they are
 * after the access; undefined if it touched none of them. Byte `touchedAt` of the access is the
 * first that it touched.
 */
export function valuesOf(
  access: MemoryAccess,
  watched: number,
  bits: ValuePlace["bits"],
  read: (offset: number, length: number) => Uint8Array,
): { old: bigint; now: bigint; isWhole: boolean; touchedAt: number } | undefined {
  const first = Math.max(0, access.offset);
  const end = Math.min(watched, access.offset + access.size);
  if (first >= end) return undefined;
  const whole = watched <= LONGEST_VALUE;
  const start = whole ? 0 : first;
  const bytes = read(start, (whole ? watched : end) - start);
  const was = bytes.slice();
  if (access.write) {
    for (let at = first; at < end; at++) {
      was[at - start] = Number((access.before >> BigInt((at - access.offset) * 8)) & 0xffn);
    }
  }
  const value = (from: Uint8Array): bigint =>
    bits === undefined || !whole ? fromBytes(from) : bitsOf(from, bits.offset, bits.width);
  const touchedAt = first - access.offset;
  return { old: value(was), now: value(bytes), isWhole: whole, touchedAt };
}

/** What one access did to a value. */
export interface AccessValues {
  readonly write: boolean;
  readonly old: bigint;
  readonly now: bigint;
}

/** A hit of which more may become known at the same instant. */
export interface DataHit extends Hit {
  grow(values: AccessValues): void;
}

/** The hit of a value that was read, written or found changed. */
export function dataHit(
  place: ValuePlace,
  event: {
    readonly write: boolean;
    readonly old: bigint;
    readonly now: bigint;
    readonly address?: bigint;
    readonly size: number;
    readonly inVmcb?: boolean;
    readonly rip?: bigint;
    readonly by?: Hit["by"];
  },
): DataHit {
  const { write, old, now, address = 0n, size, inVmcb = false, rip, by } = event;
  const name = placeName(place);
  let said: AccessValues = { write, old, now };
  return {
    reason: "data breakpoint",
    get description() {
      const what = !said.write ? "read" : said.old === said.now ? "write" : "change";
      return `Paused on ${what} of ${name}: ${valuesText(said)}`;
    },
    get fields() {
      return { old: said.old, new: said.now, address, size, write: said.write };
    },
    text: (writer) =>
      `${name} was ${said.write ? "written" : "read"} by ${writer}: ${valuesText(said)}`,
    grow: (values) => {
      said = values;
    },
    inVmcb,
    ...(rip === undefined ? {} : { rip }),
    ...(by === undefined ? {} : { by }),
  };
}

const valuesText = ({ write, old, now }: AccessValues): string =>
  write ? `${hex(old)} -> ${hex(now)}` : hex(now);
