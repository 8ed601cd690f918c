/** Writes the recording of a run, as it goes on or when it is all there. */
import type { Machine } from "../machine.ts";
import { parting } from "./futures.ts";
import { InputLog, type LoggedInput } from "./input-log.ts";
import { compareInstants, type Instant } from "./instant.ts";
import type { ExitLedger } from "./ledger.ts";
import { RecordedSnapshots } from "./recorded-snapshots.ts";
import type { Codec } from "./recording-container.ts";
import type { RecordingConfiguration } from "./recording-parts.ts";
import { RunFile, SNAPSHOTS, type SnapshotPolicy } from "./run-file.ts";
import { type Follower, recordedStates, type StoredSnapshot } from "./snapshot-store.ts";
import type { Timeline } from "./timeline.ts";

export interface RecorderOptions {
  readonly configuration: RecordingConfiguration;
  /** Puts bytes behind those of the file. */
  readonly append: (bytes: Uint8Array) => void;
  readonly codec: Codec;
  /**
   * The machine's, where it goes back in time: the file then follows it, and what was written of a
   * future that it has left is taken back. Its snapshots are those that are written.
   */
  readonly timeline?: Timeline;
  /** Its finished rows are written too. */
  readonly ledger?: ExitLedger;
  /** Instructions between two marks: what a killed process loses at most. */
  readonly markInterval?: number;
  /** Instructions between two state hashes. */
  readonly checkInterval?: number;
  /** None are written without it. */
  readonly snapshots?: SnapshotPolicy;
  /**
   * What snapshots remember beside the machine, where there is no timeline: all that has watched it since
   * its reset.
   */
  readonly followers?: readonly Follower[];
}

const MARK_INTERVAL = 25_000_000;
const CHECK_INTERVAL = 100_000_000;
/** Of a run that was never left for another. */
const ONLY_ONE = "1 of 1";

/** Writes as the run goes on: an observer of what enters, and marks of how far it is. */
export class Recorder {
  private readonly machine: Machine;
  private readonly file: RunFile;
  private readonly ledger: ExitLedger | undefined;
  private readonly markInterval: number;
  private readonly checkInterval: number;
  private readonly snapshots: RecordedSnapshots | undefined;
  private readonly timeline: Timeline | undefined;
  private readonly inputs: InputLog;
  private readonly detach: () => void;
  /** Those of the inputs that are in the file. */
  private readonly written: LoggedInput[] = [];
  private marked: Instant;
  private checkedAt = 0;
  /** The futures that are in the file: see `futuresNow`. */
  private futures = ONLY_ONE;

  /** The machine stands at its reset with the images loaded. */
  constructor(machine: Machine, options: RecorderOptions) {
    this.machine = machine;
    this.ledger = options.ledger;
    this.timeline = options.timeline;
    this.inputs = options.timeline?.inputs ?? new InputLog();
    this.marked = machine.instant;
    this.markInterval = options.markInterval ?? MARK_INTERVAL;
    this.checkInterval = options.checkInterval ?? CHECK_INTERVAL;
    this.file = new RunFile(options.append, options.codec, options.configuration);
    const { snapshots, timeline, followers = [] } = options;
    this.snapshots =
      snapshots && new RecordedSnapshots(machine, this.file, snapshots, timeline, followers);
    this.mark("MARK", true);
    this.detach = options.timeline === undefined ? this.logInputs() : () => {};
  }

  private logInputs(): () => void {
    const { machine, inputs } = this;
    return machine.observe({
      name: "recorder",
      on: {
        input: ({ input }) => {
          inputs.add(machine.instant, input);
          return undefined;
        },
      },
    });
  }

  /** Between two runs of the machine: writes what is due. */
  keepUp(): void {
    if (this.timeline?.isInPast) return;
    this.takeBack();
    const { icount } = this.machine;
    const checkIsDue = icount - this.checkedAt >= this.checkInterval;
    const markIsDue = icount - this.marked.icount >= this.markInterval;
    const snapshotIsDue = this.snapshots?.isDue;
    if (checkIsDue || markIsDue || this.hasNews || snapshotIsDue) {
      this.writeNews(this.ledger?.finished ?? 0);
      this.mark("MARK", checkIsDue);
    }
    // Behind the mark: whoever is killed while it is written loses nothing else.
    this.snapshots?.keepUp();
  }

  /** Writes all that there is up to now, if there is anything new. */
  flush(): void {
    if (this.timeline?.isInPast) return;
    this.takeBack();
    if (!this.hasNews && compareInstants(this.machine.instant, this.marked) === 0) return;
    this.writeNews(this.ledger?.finished ?? 0);
    this.mark("MARK", false);
  }

  /** The run ends here; nothing is recorded after this. */
  finish(): void {
    this.detach();
    this.takeBack();
    this.writeNews(this.ledger?.length ?? 0);
    this.mark("DONE", true);
    this.snapshots?.finish();
  }

  private get hasNews(): boolean {
    return this.futuresNow !== this.futures || this.inputs.all.length > this.written.length;
  }

  /** Another text whenever the run has left one for another. */
  private get futuresNow(): string {
    const { timeline } = this;
    return timeline === undefined ? ONLY_ONE : `${timeline.future} of ${timeline.futureCount}`;
  }

  private writeNews(rows: number): void {
    const { timeline, ledger, futuresNow } = this;
    const { all } = this.inputs;
    this.file.putInputs(all);
    this.written.push(...all.slice(this.written.length));
    if (ledger !== undefined) this.file.putRows(ledger.table, rows);
    if (futuresNow === this.futures) return;
    if (timeline && ledger) this.file.putFutures(timeline, ledger);
    this.futures = futuresNow;
  }

  private mark(type: "MARK" | "DONE", withHash: boolean): void {
    const { machine, timeline } = this;
    const at = timeline?.endOfTime ?? machine.instant;
    const mark = { at, inputs: this.file.inputs };
    const isChecked = withHash && !timeline?.isInPast;
    this.file.putMark(type, isChecked ? { ...mark, hash: machine.stateHash() } : mark);
    this.marked = at;
    if (isChecked) this.checkedAt = at.icount;
  }

  /** A future begins with an input: instead of one that was written, or before what was marked. */
  private takeBack(): void {
    const { written, ledger } = this;
    const { all } = this.inputs;
    const isPart = all[written.length - 1] === written.at(-1);
    const next = all[written.length];
    if (isPart && (next === undefined || compareInstants(next.at, this.marked) >= 0)) return;
    const { at, inputs } = parting(written, all);
    written.splice(inputs);
    this.file.putFork(at, inputs, ledger?.table);
    this.snapshots?.takeBack(at, inputs);
    this.marked = at;
    this.checkedAt = Math.min(this.checkedAt, at.icount);
  }
}

/**
 * The recording of a timeline as it is now, from reset to its end, in one piece: of a run that was not
 * recorded as it went. The end has a check if the machine stands there, and a snapshot, which is taken.
 */
export function recordingOf(
  timeline: Timeline,
  configuration: RecordingConfiguration,
  codec: Codec,
  ledger?: ExitLedger,
  policy = SNAPSHOTS,
): Uint8Array {
  if (!timeline.isInPast) timeline.keep();
  const [reset, ...snapshots] = timeline.snapshots.all;
  if (reset === undefined) throw new Error("A timeline has a snapshot at reset");
  const bytes: Uint8Array[] = [];
  const file = new RunFile((piece) => bytes.push(piece), codec, configuration);
  file.putInputs(timeline.inputs.all);
  const mark = { at: timeline.endOfTime, inputs: file.inputs };
  file.putMark("MARK", mark);
  if (ledger !== undefined) {
    const table = ledger.known();
    file.putRows(table, table.length);
    file.putFutures(timeline, ledger);
  }
  const { machine } = timeline;
  file.putMark("DONE", timeline.isInPast ? mark : { ...mark, hash: machine.stateHash() });
  let base = { index: 0, snapshot: reset.snapshot };
  for (const each of farApart(snapshots, policy.interval)) {
    const followers = recordedStates(each, timeline.followers);
    const isIn = completed(file.putSnapshot({ ...each, followers }, base, policy));
    if (isIn) base = { index: base.index + 1, snapshot: each.snapshot };
  }
  return joined(bytes);
}

function completed<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** The last one, and of those before it some that are not close together. */
function farApart(all: readonly StoredSnapshot[], interval: number): StoredSnapshot[] {
  let last = 0;
  return all.filter(({ snapshot: { icount } }, i) => {
    if (icount - last < interval && i < all.length - 1) return false;
    last = icount;
    return true;
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const file = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}
