/** One hit for one access, where the machine tells of its parts. */
import type { Debuggee } from "../debuggee.ts";
import type { ValuePlace } from "../value-place.ts";
import { type AccessValues, type DataHit, dataHit } from "./data-access.ts";

/** A part of an access that touched watched bytes. */
export interface AccessPart extends AccessValues {
  readonly address: bigint;
  readonly size: number;
  /** Its first byte that is watched. */
  readonly touchedAt: number;
  /** Old and new are of all watched bytes, whichever it touched. */
  readonly isWhole: boolean;
  readonly inVmcb?: boolean;
}

interface Known {
  readonly icount: number;
  readonly joined: AccessPart;
  /** Of the whole, if its condition held. */
  readonly hit: DataHit | undefined;
}

/**
 * Parts in a row at one instant are one access: of a store over a page's end, and of the registers
 * that FXSAVE stores. What an instruction reads and then writes is one write.
 */
export class AccessJoin {
  private readonly debuggee: Debuggee;
  private readonly place: ValuePlace;
  private readonly reach: (hit: DataHit) => "stop" | undefined;
  private readonly hits: (() => number) | undefined;
  private known: Known | undefined;

  constructor(
    debuggee: Debuggee,
    place: ValuePlace,
    reach: (hit: DataHit) => "stop" | undefined,
    hits: (() => number) | undefined,
  ) {
    this.debuggee = debuggee;
    this.place = place;
    this.reach = reach;
    this.hits = hits;
  }

  accessed(part: AccessPart): "stop" | undefined {
    const { icount } = this.debuggee.machine;
    const { known } = this;
    const more = known?.icount === icount ? joinedPart(known.joined, part) : undefined;
    if (known?.hit && more) {
      known.hit.grow(more);
      this.known = { ...known, joined: more };
      return undefined;
    }
    const joined = more ?? part;
    const hit = dataHit(this.place, joined);
    const counted = this.hits?.() ?? 0;
    const outcome = this.reach(hit);
    const isHit = outcome === "stop" || (this.hits?.() ?? 0) > counted;
    this.known = { icount, joined, hit: isHit ? hit : undefined };
    return outcome;
  }
}

/** Undefined where the part does not belong to what was accessed before it at the instant. */
function joinedPart(before: AccessPart, part: AccessPart): AccessPart | undefined {
  const end = before.address + BigInt(before.size);
  const isInside = before.address <= part.address && part.address < end;
  if (part.write && !before.write && isInside) return part;
  if (part.write !== before.write || part.address !== end) return undefined;
  const shift = BigInt((before.size - before.touchedAt) * 8);
  const values = part.isWhole
    ? { old: before.old, now: part.now }
    : { old: before.old | (part.old << shift), now: before.now | (part.now << shift) };
  return { ...before, ...values, size: before.size + part.size };
}
