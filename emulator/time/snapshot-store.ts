/** The snapshots of a run within a memory budget: close together near its end, further apart before. */
import { heldSnapshot, type Machine, type Snapshot, snapshotBytes } from "../machine.ts";
import { countWhile } from "./count-while.ts";
import { compareInstants, type Instant } from "./instant.ts";

/** What goes back and forth with the machine: an observer's memory of what it has seen. */
export interface Follower {
  /** By which its states are known, in recordings too. */
  readonly name: string;
  /** Another wherever its states mean something else: it takes none of another version. */
  readonly version: string;
  save(): unknown;
  restore(saved: unknown): void;
  /** A state as plain data for a recording, undefined where it is more than that; by default as it is. */
  record?(saved: unknown): unknown;
  /** The state of which record() made this; undefined where it is not of what this one follows. */
  recall?(plain: unknown): unknown;
  /** Another future begins here: what it knows of the one left is kept by the number of that one. */
  forked?(left: number): void;
  /** The future `next` comes again instead of `left`; the machine goes back to before they part after this. */
  switched?(left: number, next: number): void;
  /** That future does not come again. */
  dropped?(future: number): void;
  /** Bytes that it keeps of futures that were left, where they may be many. */
  leftBytes?(): number;
}

/** What a follower had seen, and its version. */
export interface FollowerState {
  readonly version: string;
  readonly saved: unknown;
  /** It is as a recording has it, and not as the follower saved it. */
  readonly isPlain?: boolean;
}
/** By name. */
export type FollowerStates = Map<string, FollowerState>;

export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  /** Number of inputs that had entered. */
  readonly inputs: number;
  readonly followers: FollowerStates;
}

/** A follower's state; undefined where the snapshot has none of its version. */
export function stateOf(follower: Follower, { followers }: StoredSnapshot): unknown {
  const state = followers.get(follower.name);
  if (state?.version !== follower.version) return undefined;
  return state.isPlain && follower.recall ? follower.recall(state.saved) : state.saved;
}

/** The states as a recording has them, as far as they can be recorded. */
export function recordedStates(
  stored: Pick<StoredSnapshot, "followers">,
  followers: Iterable<Follower>,
): FollowerStates {
  const states = new Map<string, FollowerState>();
  for (const follower of followers) {
    const state = stored.followers.get(follower.name);
    if (state?.version !== follower.version) continue;
    const isPlain = state.isPlain || follower.record === undefined;
    const saved = isPlain ? state.saved : follower.record?.(state.saved);
    if (saved !== undefined) states.set(follower.name, { version: follower.version, saved });
  }
  return states;
}

export function savedStates(followers: Iterable<Follower>): FollowerStates {
  const states = new Map<string, FollowerState>();
  for (const each of followers) {
    states.set(each.name, { version: each.version, saved: each.save() });
  }
  return states;
}

/** Snapshots on loan, at another machine with the same image and memory. */
export interface LentSnapshots {
  readonly all: readonly StoredSnapshot[];
  giveBack(): void;
}

export class SnapshotStore {
  private readonly machine: Machine;
  private readonly budgetBytes: number;
  /** What others hold of the budget. */
  private reserved = 0;
  private readonly kept: StoredSnapshot[] = [];

  constructor(machine: Machine, budgetBytes: number) {
    this.machine = machine;
    this.budgetBytes = budgetBytes;
  }

  get all(): readonly StoredSnapshot[] {
    return this.kept;
  }

  /** Bytes that all of them hold together. */
  get bytes(): number {
    return this.kept.reduce((sum, { snapshot }) => sum + snapshotBytes(snapshot), 0);
  }

  /** Takes one of the present instant, unless there is one; drops others to stay within the budget. */
  take(inputs: number, followers: Iterable<Follower>): void {
    const { instant } = this.machine;
    const index = this.countUpTo(instant);
    const before = this.kept[index - 1];
    if (before !== undefined && compareInstants(before.snapshot, instant) === 0) return;
    const snapshot = this.machine.snapshot();
    this.kept.splice(index, 0, { snapshot, inputs, followers: savedStates(followers) });
    this.keepWithinBudget(instant);
  }

  /** So many bytes of the budget are somebody else's from now on. */
  reserve(bytes: number): void {
    this.reserved = bytes;
    this.keepWithinBudget(this.machine.instant);
  }

  private keepWithinBudget(near: Instant): void {
    const most = this.budgetBytes - this.reserved;
    while (this.bytes > most && this.kept.length > 2) this.dropOne(near);
  }

  /** Puts one that is made elsewhere behind all others. */
  adopt(stored: StoredSnapshot): void {
    this.kept.push(stored);
    this.keepWithinBudget(stored.snapshot);
  }

  /** Forgets all but the first that cannot give back a follower's state. */
  keepThoseOf(follower: Follower): void {
    for (const stored of this.kept.splice(1)) {
      const saved = stateOf(follower, stored);
      if (saved === undefined) this.machine.forget(stored.snapshot);
      else {
        stored.followers.set(follower.name, { version: follower.version, saved });
        this.kept.push(stored);
      }
    }
  }

  /** The last one at or before the instant; the first is at reset and stays. */
  upTo(instant: Instant): StoredSnapshot {
    const found = this.kept[this.countUpTo(instant) - 1];
    if (found === undefined) throw new Error("There is no snapshot so early");
    return found;
  }

  /** The last one before the instant. */
  before(instant: Instant): StoredSnapshot | undefined {
    let index = this.countUpTo(instant) - 1;
    const found = this.kept[index];
    if (found !== undefined && compareInstants(found.snapshot, instant) === 0) index--;
    return this.kept[index];
  }

  /** Forgets all after the instant, and those at it into which more than so many inputs have entered. */
  cut(instant: Instant, inputs: number): void {
    const from = this.kept.findIndex(
      (each) => each.inputs > inputs || compareInstants(each.snapshot, instant) > 0,
    );
    if (from < 0) return;
    for (const { snapshot } of this.kept.splice(from)) this.machine.forget(snapshot);
  }

  /**
   * Those up to an instant but the one at reset, which every machine has: good until they are given
   * back, whatever is dropped here meanwhile.
   */
  lend(to: Instant): LentSnapshots {
    const all = this.kept.slice(1, this.countUpTo(to)).map((each) => ({
      ...each,
      snapshot: heldSnapshot(each.snapshot),
    }));
    const giveBack = () => {
      for (const { snapshot } of all) this.machine.forget(snapshot);
    };
    return { all, giveBack };
  }

  private countUpTo(instant: Instant): number {
    const isUpTo = (i: number) =>
      compareInstants((this.kept[i] as StoredSnapshot).snapshot, instant) <= 0;
    return countWhile(this.kept.length, isUpTo);
  }

  /** The one whose gap would be the shortest for its distance from `near`; never the first. */
  private dropOne(near: Instant): void {
    const { kept } = this;
    let [best, least] = [1, Number.POSITIVE_INFINITY];
    for (let i = 1; i < kept.length - 1; i++) {
      const [from, at, to] = [i - 1, i, i + 1].map((k) => kept[k]?.snapshot.icount ?? 0);
      const distance = Math.abs(near.icount - (at ?? 0)) + 1;
      const cost = ((to ?? 0) - (from ?? 0)) / distance;
      if (cost < least) [best, least] = [i, cost];
    }
    const [dropped] = kept.splice(best, 1);
    if (dropped !== undefined) this.machine.forget(dropped.snapshot);
  }
}
