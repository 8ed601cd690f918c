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
  /** Each source once, and beside it the version that was read. */
  private readonly sources: Source[] = [];
  private readonly versions: number[] = [];
  private readonly noted = new Set<Source>();
  private readonly others: Unchanged[] = [];
  private isFull = false;

  get size(): number {
    return this.sources.length + this.others.length;
  }

  /** A source in the version that was read. */
  addSource(source: Source, version: number): void {
    if (this.noted.has(source)) return;
    this.noted.add(source);
    this.sources.push(source);
    this.versions.push(version);
  }

  /** Anything else: how to look whether it is the same. */
  add(isUnchanged: Unchanged): void {
    if (this.others.length < MOST_READS) this.others.push(isUnchanged);
    else this.isFull = true;
  }

  /** Never of more than can be compared. */
  areUnchanged(view: View, old: OldValues): boolean {
    if (this.isFull) return false;
    const { sources, versions } = this;
    for (let i = 0; i < sources.length; i++) {
      if (view.readings.at(sources[i] as Source, view).version !== versions[i]) return false;
    }
    for (const isUnchanged of this.others) {
      if (!isUnchanged(view, old)) return false;
    }
    return true;
  }
}
