/** Every address of the host and of every guest that reaches one byte. */
import { type ReverseLimits, ReverseMap, type ReverseMapping } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { ReachingAddress, ReverseTranslateBody } from "../protocol/addresses.ts";
import { hex } from "../text.ts";
import { formatReference, type MemoryReference, type SpaceName } from "./memory-reference.ts";
import { worldOf } from "./translation.ts";
import { reverseText } from "./translation-text.ts";

/** Tables that one search reads at most: a quarter of a second. */
const MAX_TABLES = 16_384;
/** Guest-physical addresses of the byte that the guest's own tables are searched for. */
const MAX_BETWEEN = 10_000;

/** The reference is fully resolved. */
export function reverseTranslation(
  debuggee: Debuggee,
  reference: MemoryReference,
  limit: number,
): ReverseTranslateBody {
  const { spaces, machine } = debuggee;
  const found = spaces.translate(reference);
  const asked = formatReference(reference);
  const search = new ReverseSearch(debuggee, { mappings: limit, tables: MAX_TABLES });
  const hpa = found.kind === "page" ? found.physical : undefined;
  if (hpa !== undefined) search.everywhere(machine.memory.canonical(hpa));
  // What no nested entry maps may still be named by the guest's own tables.
  else if (reference.space.kind === "gpa") search.inGuest(reference);
  const body = {
    ...(hpa === undefined ? {} : { hpa: `hpa:${hex(hpa)}` }),
    mappings: search.mappings,
    ...(search.incomplete === undefined ? {} : { incomplete: search.incomplete }),
  };
  return { ...body, text: reverseText(asked, body) };
}

class ReverseSearch {
  readonly mappings: ReachingAddress[] = [];
  incomplete: string | undefined;
  private readonly debuggee: Debuggee;
  private readonly limits: ReverseLimits;

  constructor(debuggee: Debuggee, limits: ReverseLimits) {
    this.debuggee = debuggee;
    this.limits = limits;
  }

  everywhere(hpa: number): void {
    const { spaces } = this.debuggee;
    const host = spaces.worlds({ kind: "hva" }).host;
    this.add(spaces.resolve({ kind: "hva" }), this.map().linear([hpa], host));
    for (let guest = 1; guest <= spaces.guestCount; guest++) {
      const context = spaces.worlds({ kind: "gva", guest }).guest;
      if (context === undefined) continue;
      const { paging, nested } = context;
      let between = [hpa];
      if (nested !== undefined) {
        const limits = { ...this.limits, mappings: Math.max(MAX_BETWEEN, this.limits.mappings) };
        const physical = new ReverseMap(this.debuggee.machine.memory, limits).guestPhysical(
          hpa,
          nested,
        );
        between = physical.mappings.map(({ address }) => Number(address));
        this.add(spaces.resolve({ kind: "gpa", guest }), physical);
      }
      const space = spaces.resolve({ kind: "gva", guest });
      if (between.length > 0) this.add(space, this.map().linear(between, paging, nested));
    }
  }

  inGuest({ space, address }: MemoryReference): void {
    const { spaces } = this.debuggee;
    const { guest } = space;
    const context = spaces.worlds(space).guest;
    if (context === undefined || guest === undefined || address >= 1n << 52n) return;
    const found = this.map().linear([Number(address)], context.paging, context.nested);
    this.add(spaces.resolve({ kind: "gva", guest }), found);
  }

  private map(): ReverseMap {
    return new ReverseMap(this.debuggee.machine.memory, this.limits);
  }

  private add(
    space: SpaceName,
    found: {
      readonly mappings: readonly ReverseMapping[];
      readonly stoppedBy: "mappings" | "tables" | undefined;
      readonly tables: number;
    },
  ): void {
    const room = this.limits.mappings - this.mappings.length;
    for (const { address, pageSize, rights } of found.mappings.slice(0, room)) {
      const symbol =
        space.kind === "gpa" ? undefined : this.debuggee.images.nameOf(worldOf(space), address);
      const memoryReference = formatReference({ space, address });
      this.mappings.push({
        memoryReference,
        pageSize,
        rights,
        ...(symbol === undefined ? {} : { symbol }),
      });
    }
    if (found.stoppedBy === "tables") {
      this.incomplete ??= `The search stopped after ${found.tables} tables: there may be more.`;
    } else if (found.stoppedBy !== undefined || found.mappings.length > room) {
      this.incomplete ??= `Only the first ${this.limits.mappings} are listed: there are more.`;
    }
  }
}
