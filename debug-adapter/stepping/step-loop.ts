/** The loops of a step's line: explored when one is met, and then waited for at full speed. */
import type { Debuggee } from "../debuggee.ts";
import type { World } from "../register-file.ts";
import type { Place } from "./place.ts";
import { RegionWait } from "./region-wait.ts";
import { type RegionCode, type StepRegion, stepRegion } from "./step-region.ts";

/** Code that jumps where no exploration has been is not explored for ever: it is stepped singly. */
const MOST_EXPLORED = 16;

export interface LoopCode extends Omit<RegionCode, "bits"> {
  /** The code is about to be read anew: what was known of its bytes is forgotten. */
  forget(): void;
  /** Where outer frames go on, should the loop be left without coming by a way out. */
  callers(): readonly Place[];
}

export class StepLoop {
  private readonly debuggee: Debuggee;
  private readonly world: World;
  private readonly code: LoopCode;
  private region: StepRegion | undefined;
  private wait: RegionWait | undefined;
  private explored = 0;

  constructor(debuggee: Debuggee, world: World, code: LoopCode) {
    this.debuggee = debuggee;
    this.world = world;
    this.code = code;
  }

  /** Whether the step, whose instruction at `from` led to `linear`, can wait for a place from here. */
  enter(linear: bigint, from: bigint): boolean {
    if (this.hasChanged) this.dispose();
    if (!this.region?.inside.has(linear)) {
      if (linear > from || this.explored >= MOST_EXPLORED) return false;
      this.dispose();
      this.region = this.explore(linear);
    }
    const { region, debuggee, world } = this;
    const height = region?.inside.get(linear);
    if (region === undefined || height === undefined) return false;
    if (!this.isInside()) {
      this.wait?.dispose();
      const { rsp, cpl: ring } = debuggee.machine.state;
      const stack = rsp - BigInt(height);
      const callers = this.code.callers();
      this.wait = new RegionWait(debuggee, { world, region, ring, stack, callers });
    }
    return true;
  }

  private explore(start: bigint): StepRegion | undefined {
    const { codeBits: bits, machine } = this.debuggee;
    this.explored++;
    // Branch targets wrap within a segment that has a base: such code is stepped singly.
    if (bits === 16 || (bits === 32 && machine.state.cs.base !== 0n)) return undefined;
    this.code.forget();
    const { instructionAt, endsAt, looksInto } = this.code;
    return stepRegion({ bits, instructionAt, endsAt, looksInto }, start);
  }

  /** Whether the CPU stands in the loop, in the frame of the step. */
  isInside(): boolean {
    return this.wait?.isInside() ?? false;
  }

  arrivedAt(linear: bigint, guest: boolean): "place" | "caller" | undefined {
    return this.wait?.arrivedAt(linear, guest);
  }

  /** Whether the code was written since it was explored, by itself or by what it calls. */
  get hasChanged(): boolean {
    return this.wait?.hasChanged ?? false;
  }

  /** Explores changed code anew, where the CPU is deeper than the loop. */
  follow(): void {
    const { region, wait } = this;
    const [start] = region?.inside.keys() ?? [];
    if (wait === undefined || start === undefined) return;
    // What is not understood any more is waited for where it was.
    this.region = this.explore(start) ?? region;
    this.wait = wait.moved(this.region);
  }

  dispose(): void {
    this.wait?.dispose();
    this.wait = undefined;
    this.region = undefined;
  }
}
