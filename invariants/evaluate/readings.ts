/** What the machine says: each thing is read once at an event, whoever asks, and has a version that tells of changes. */
import type { View } from "../model/view.ts";

/** Something to read of the machine that depends on nothing else. */
export interface Source {
  readonly id: number;
  read(view: View): unknown;
  isSame(before: unknown, now: unknown): boolean;
}

let sources = 0;

export function defineSource<T>(
  read: (view: View) => T,
  isSame: (before: T, now: T) => boolean,
): Source {
  return { id: sources++, read, isSame: (a, b) => isSame(a as T, b as T) };
}

export interface Reading {
  readonly value: unknown;
  /** Another one with each change that was seen. */
  readonly version: number;
}

/** Of one machine; its events come one after the other, and nothing changes within one. */
export class Readings {
  private readonly all: ({ view: View; value: unknown; version: number } | undefined)[] = [];

  at(source: Source, view: View): Reading {
    const known = this.all[source.id];
    if (known?.view === view) return known;
    const value = source.read(view);
    if (known === undefined) {
      const first = { view, value, version: 0 };
      this.all[source.id] = first;
      return first;
    }
    // What is the same stays the same object: whoever made something of it need not do so again.
    if (!source.isSame(known.value, value)) {
      known.version++;
      known.value = value;
    }
    known.view = view;
    return known;
  }
}
