/** Waits, at full speed, for the CPU to come to a place outside of a step's region in the same frame. */
import { LONGEST_INSTRUCTION } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { World } from "../register-file.ts";
import { AwaitedPlaces, isAt, type Place, returnPlace } from "./place.ts";
import type { StepRegion } from "./step-region.ts";

const PAGE_MASK = ~0xfffn;

/** The frame that waits, and what for. */
interface Waiting {
  readonly world: World;
  readonly region: StepRegion;
  readonly ring: number;
  /** The stack pointer at height 0. */
  readonly stack: bigint;
  /** Where outer frames go on. */
  readonly callers: readonly Place[];
}

export class RegionWait {
  private readonly debuggee: Debuggee;
  private readonly waiting: Waiting;
  private readonly places: AwaitedPlaces;
  private readonly detach: readonly (() => void)[];
  private isStale = false;

  constructor(debuggee: Debuggee, waiting: Waiting) {
    this.debuggee = debuggee;
    this.waiting = waiting;
    const { world, region, callers } = waiting;
    this.places = new AwaitedPlaces(debuggee, world);
    this.places.set(
      [...region.outside].map(([to, height]) => this.placeAt(to, height)),
      callers,
    );
    this.detach = this.watchCode();
  }

  /** The same frame waits in other code, which begins at the same height; without it where it did. */
  moved(region: StepRegion = this.waiting.region): RegionWait {
    this.dispose();
    return new RegionWait(this.debuggee, { ...this.waiting, region });
  }

  private placeAt(linear: bigint, height: number): Place {
    const { stack, ring } = this.waiting;
    return returnPlace(this.debuggee, linear, stack + BigInt(height), ring);
  }

  /** Whether the code has changed since it was explored. */
  get hasChanged(): boolean {
    return this.isStale;
  }

  /** Whether the CPU stands inside, in the frame that waits. */
  isInside(): boolean {
    const linear = this.debuggee.linearRip;
    const height = this.waiting.region.inside.get(linear);
    return height !== undefined && isAt(this.debuggee, this.placeAt(linear, height), linear);
  }

  arrivedAt(linear: bigint, guest: boolean): "place" | "caller" | undefined {
    return this.places.arrivedAt(linear, guest);
  }

  dispose(): void {
    this.places.set([]);
    for (const detach of this.detach) detach();
  }

  /** A write to the region's code stops the machine behind it. */
  private watchCode(): (() => void)[] {
    const { debuggee } = this;
    const { region } = this.waiting;
    const { spaces, machine } = debuggee;
    const pages = new Set([...region.inside.keys()].map((linear) => linear & PAGE_MASK));
    const bytes = new Set<number>();
    const detach: (() => void)[] = [];
    const physicalPages = new Map<bigint, number>();
    const space = spaces.here();
    for (const page of pages) {
      const found = spaces.translate({ space, address: page });
      if (found.kind !== "page") continue;
      physicalPages.set(page, found.physical);
      detach.push(machine.memory.watchWrites(found.physical));
    }
    for (const linear of region.inside.keys()) {
      const page = physicalPages.get(linear & PAGE_MASK);
      if (page !== undefined) bytes.add(page + Number(linear & ~PAGE_MASK));
    }
    const unobserve = machine.observe({
      name: "code of a step",
      on: {
        physicalWrite: ({ address, size, before, after }) => {
          if (before === after || !isNear(bytes, address, size)) return undefined;
          this.isStale = true;
          return "stop";
        },
      },
    });
    return [...detach, unobserve];
  }
}

/** Whether an instruction that starts at one of the addresses may hold a byte that was written. */
function isNear(starts: ReadonlySet<number>, address: number, size: number): boolean {
  for (let at = address - LONGEST_INSTRUCTION + 1; at < address + size; at++) {
    if (starts.has(at)) return true;
  }
  return false;
}
