/** Source lines as a step sees them: where a line begins, and which inlined calls belong to it. */

import type { SourceLocation } from "../../symbols/source-index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Image } from "../images.ts";
import type { World } from "../register-file.ts";
import { sourceFramesAt } from "../stack/source-frames.ts";

export interface StepLine {
  readonly path: string;
  readonly line: number;
  /** Start of its function. */
  readonly owner: bigint | undefined;
}

/** Looked up once an address: loops come by the same ones often. */
export class StepLines {
  private readonly debuggee: Debuggee;
  private readonly world: World;
  /** What is inlined deeper than this many source frames counts as its calling line. */
  private readonly flattenedAt: number | undefined;
  private readonly lines = new Map<bigint, StepLine | undefined>();

  constructor(debuggee: Debuggee, world: World, flattenedAt: number | undefined) {
    this.debuggee = debuggee;
    this.world = world;
    this.flattenedAt = flattenedAt;
  }

  at(linear: bigint): StepLine | undefined {
    const known = this.lines.get(linear);
    if (known !== undefined || this.lines.has(linear)) return known;
    const found = this.find(linear);
    this.lines.set(linear, found);
    return found;
  }

  /** Whether another line than before `linear` begins there. */
  beginsAt(linear: bigint): boolean {
    const [here, before] = [this.at(linear), this.at(linear - 1n)];
    return before?.line !== here?.line || before?.path !== here?.path;
  }

  /** How many source frames the machine frame at `linear` has; 0 without source. */
  depthAt(linear: bigint): number {
    const image = this.debuggee.images.at(this.world, linear);
    return image === undefined ? 0 : sourceFramesAt(image.symbols, linear).length;
  }

  /** Whether `linear` is in a call inlined below the flattened depth. */
  isFlattened(linear: bigint): boolean {
    return this.flattenedAt !== undefined && this.depthAt(linear) > this.flattenedAt;
  }

  /** Where the function that starts at `linear` has its first statement, if it has source. */
  bodyAt(linear: bigint): bigint | undefined {
    const image = this.debuggee.images.at(this.world, linear);
    if (image?.symbols.sourceAt(linear) === undefined) return undefined;
    const name = image.symbols.functionAt(linear)?.name;
    const places = name === undefined ? [] : image.symbols.functionsNamed(name);
    return places.find((place) => place.address === linear)?.body ?? linear;
  }

  private find(linear: bigint): StepLine | undefined {
    const image = this.debuggee.images.at(this.world, linear);
    const found = image?.symbols.sourceAt(linear);
    if (image === undefined || found === undefined) return undefined;
    const owner = image.symbols.functionAt(linear)?.start;
    const { path, line } = this.callerOfInlined(image, linear) ?? found;
    return { path, line, owner };
  }

  private callerOfInlined(image: Image, linear: bigint): SourceLocation | undefined {
    if (this.flattenedAt === undefined) return undefined;
    const chain = sourceFramesAt(image.symbols, linear);
    if (chain.length <= this.flattenedAt) return undefined;
    return chain[chain.length - this.flattenedAt]?.location;
  }
}
