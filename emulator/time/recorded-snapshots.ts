/** The snapshots that a run which is recorded as it goes on leaves in its file, and what the next is written against. */
import { heldSnapshot, type Machine, type Snapshot } from "../machine.ts";
import { compareInstants, type Instant } from "./instant.ts";
import type { RunFile, SnapshotPolicy } from "./run-file.ts";
import {
  type Follower,
  recordedStates,
  type StoredSnapshot,
  savedStates,
} from "./snapshot-store.ts";
import type { Timeline } from "./timeline.ts";

/** One in the file. */
interface Written {
  readonly stored: StoredSnapshot;
  /** The timeline's, of which the one in `stored` is the same again. */
  readonly original: Snapshot | undefined;
  /** Its pages are there, so that another can be written against it. */
  isHeld: boolean;
}

export class RecordedSnapshots {
  private readonly machine: Machine;
  private readonly file: RunFile;
  private readonly policy: SnapshotPolicy;
  private readonly reset: Snapshot;
  private readonly timeline: Timeline | undefined;
  private readonly followers: readonly Follower[];
  /** Those that the file has, as it is read. */
  private readonly written: Written[] = [];
  private triedAt = 0;
  private writing: Generator<undefined, void> | undefined;

  /**
   * The machine stands at its reset. The timeline's snapshots are written where there is one; else they are
   * taken, with what `followers` have seen.
   */
  constructor(
    machine: Machine,
    file: RunFile,
    policy: SnapshotPolicy,
    timeline: Timeline | undefined,
    followers: readonly Follower[],
  ) {
    this.machine = machine;
    this.file = file;
    this.policy = policy;
    this.reset = machine.snapshot();
    this.timeline = timeline;
    this.followers = followers;
  }

  /** Whether the next is to be written by now. */
  get isDue(): boolean {
    const passed = this.latest - this.triedAt;
    return this.writing === undefined && passed >= this.policy.interval;
  }

  /** icount of the latest that there is, or could be taken. */
  private get latest(): number {
    const { timeline, machine } = this;
    return timeline?.snapshots.upTo(timeline.endOfTime).snapshot.icount ?? machine.icount;
  }

  /**
   * What entered before now is in the file. Beside a timeline somebody waits for the machine: a piece of
   * work at a time.
   */
  keepUp(): void {
    if (this.isDue) this.writing = this.put();
    if (this.timeline === undefined || this.writing?.next().done) this.complete();
  }

  private complete(): void {
    while (this.writing?.next().done === false);
    this.writing = undefined;
  }

  private *put(): Generator<undefined, void> {
    this.triedAt = this.latest;
    const taken = this.taken();
    let isIn = false;
    try {
      let index = this.written.length;
      while (index > 0 && !this.written[index - 1]?.isHeld) index--;
      const snapshot = this.written[index - 1]?.stored.snapshot ?? this.reset;
      isIn = yield* this.file.putSnapshot(taken.stored, { index, snapshot }, this.policy);
    } finally {
      if (isIn) this.written.push(taken);
      else this.machine.forget(taken.stored.snapshot);
    }
    this.letGo();
  }

  private taken(): Written {
    const { timeline, machine, followers } = this;
    if (timeline === undefined) {
      const snapshot = machine.snapshot();
      const states = recordedStates({ followers: savedStates(followers) }, followers);
      const stored = { snapshot, inputs: this.file.inputs, followers: states };
      return { stored, original: undefined, isHeld: true };
    }
    const { snapshot: original, inputs, ...of } = timeline.snapshots.upTo(timeline.endOfTime);
    const states = recordedStates(of, timeline.followers);
    const stored = { snapshot: heldSnapshot(original), inputs, followers: states };
    return { stored, original, isHeld: true };
  }

  /** Beside the last, only what the timeline has anyway is held: it is within the timeline's budget. */
  private letGo(): void {
    const kept = new Set(this.timeline?.snapshots.all.map(({ snapshot }) => snapshot));
    for (const each of this.written.slice(0, -1)) {
      if (each.original === undefined || !kept.has(each.original)) this.release(each);
    }
  }

  private release(each: Written): void {
    if (each.isHeld) this.machine.forget(each.stored.snapshot);
    each.isHeld = false;
  }

  /** The file's run goes on otherwise from an instant, before which so many inputs entered. */
  takeBack(at: Instant, inputs: number): void {
    this.writing?.return();
    this.writing = undefined;
    const isLeft = ({ stored }: Written) =>
      stored.inputs <= inputs && compareInstants(stored.snapshot, at) <= 0;
    const gone = this.written.findIndex((each) => !isLeft(each));
    if (gone >= 0) for (const each of this.written.splice(gone)) this.release(each);
    this.triedAt = Math.min(this.triedAt, at.icount);
  }

  /** The last one, of where the run ends as nearly as there is one. */
  finish(): void {
    this.complete();
    if (this.timeline?.isInPast === false) this.timeline.keep();
    if (this.latest > this.triedAt) this.writing = this.put();
    this.complete();
    for (const each of this.written) this.release(each);
    this.machine.forget(this.reset);
  }
}
