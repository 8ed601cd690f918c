/** What entered a machine, and when: with the image, everything that a run depends on. */
import type { Input } from "../inputs.ts";
import { compareInstants, type Instant } from "./instant.ts";

export interface LoggedInput {
  /** Before what the machine does at this instant. */
  readonly at: Instant;
  readonly input: Input;
}

export class InputLog {
  private readonly entries: LoggedInput[] = [];

  get all(): readonly LoggedInput[] {
    return this.entries;
  }

  /** Instants never go back: an entry belongs behind all others. */
  add(at: Instant, input: Input): void {
    const last = this.entries.at(-1);
    if (last !== undefined && compareInstants(last.at, at) > 0) {
      throw new Error("An input is logged before one that came earlier");
    }
    this.entries.push({ at, input });
  }

  /** Index of the first entry at or after the instant; the number of entries if there is none. */
  indexAt(instant: Instant): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareInstants((this.entries[middle] as LoggedInput).at, instant) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Has these entries instead. */
  replace(entries: readonly LoggedInput[]): void {
    this.entries.length = 0;
    for (const entry of entries) this.entries.push(entry);
  }

  /** Takes the entries from an index on away and returns them. */
  cut(from: number): LoggedInput[] {
    return this.entries.splice(from);
  }
}
