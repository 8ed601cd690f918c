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

  /** Has these entries instead. */
  replace(entries: readonly LoggedInput[]): void {
    this.entries.length = 0;
    for (const entry of entries) this.entries.push(entry);
  }

  /** Takes the entries from an index on away. */
  cut(from: number): void {
    this.entries.splice(from);
  }
}
