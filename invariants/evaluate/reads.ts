/** What an evaluation has read of the machine, and whether it would read the same now. */
import type { Term } from "../language/term.ts";
import type { View } from "../model/view.ts";
import type { Source } from "./readings.ts";
import type { Result } from "./value.ts";

/** Values of old(...) terms, kept at the earlier event. */
export interface OldValues {
  get(term: Term): Result | undefined;
}

/** Whether something that was read is the same in another view, with the earlier values that hold there. */
export type Unchanged = (view: View, old: OldValues) => boolean;

/** To compare more would be dearer than to evaluate again. */
const MOST_READS = 10_000;

export class Reads {
  private readonly versions = new Map<Source, number>();
  private readonly others: Unchanged[] = [];
  private isFull = false;

  get size(): number {
    return this.versions.size + this.others.length;
  }

  /** A source in the version that was read. */
  addSource(source: Source, version: number): void {
    this.versions.set(source, version);
  }

  /** Anything else: how to look whether it is the same. */
  add(isUnchanged: Unchanged): void {
    if (this.others.length < MOST_READS) this.others.push(isUnchanged);
    else this.isFull = true;
  }

  /** Never of more than can be compared. */
  areUnchanged(view: View, old: OldValues): boolean {
    if (this.isFull) return false;
    for (const [source, version] of this.versions) {
      if (view.readings.at(source, view).version !== version) return false;
    }
    for (const isUnchanged of this.others) {
      if (!isUnchanged(view, old)) return false;
    }
    return true;
  }
}
