/** A machine with its past: runs on, goes back, and comes again to any instant of its run. */
import type { Changes, Input } from "../inputs.ts";
import type { Machine, RunLimits, RunResult } from "../machine.ts";
import type { CpuState } from "../state/cpu-state.ts";
import { type Future, Futures, parting, type RecordedFutures } from "./futures.ts";
import { InputLog, type LoggedInput } from "./input-log.ts";
import { compareInstants, firstAt, type Instant, RESET } from "./instant.ts";
import { type Follower, SnapshotStore, type StoredSnapshot, stateOf } from "./snapshot-store.ts";

export interface TimelineOptions {
  /** Memory that snapshots may use, and what is kept of futures that were left. */
  readonly budgetBytes?: number;
  /** Instructions between two snapshots of a run. */
  readonly interval?: number;
  /** The same where the past is looked at: what a seek nearby replays at most. */
  readonly denseInterval?: number;
  /** Instructions that a way through the past does at a time. */
  readonly piece?: number;
  readonly followers?: readonly Follower[];
  /** A run that there has been already: the machine starts in its past. */
  readonly recorded?: {
    readonly inputs: readonly LoggedInput[];
    readonly end: Instant;
    /** Those that were left in it. */
    readonly futures?: RecordedFutures;
    /** Made from the snapshot at reset, in their order. */
    readonly snapshots?: (reset: StoredSnapshot) => readonly StoredSnapshot[];
  };
}

/** Where a way through a run has come to: of the machine that goes it. */
export interface SeekProgress {
  readonly icount: number;
}

/** What an observer stopped for, and when. */
export interface Met<T> {
  readonly at: Instant;
  readonly what: T;
}

/** The replay did not do what the run did: the machine or its image is another one. */
export class DivergedError extends Error {}

/** Something new was to happen in the past. */
export class PastError extends Error {
  constructor() {
    super("This is the past: a change here starts another future, which has to be allowed first");
  }
}

/** Of the budget, what is kept of futures that were left takes at most so much: the oldest go at a fork. */
const FUTURES_SHARE = 1 / 4;
/** A stop of the machine, and each instruction that an observer follows, take as long as so many instructions. */
const STOP_COST = 2_000;
const FOLLOWED_COST = 40;
const CRAWL_PIECE = 500;
/** Towards where a replay goes its snapshots come closer together, down to this share of the dense interval. */
const CLOSEST_SHARE = 1 / 256;

export class Timeline implements Changes {
  readonly machine: Machine;
  readonly snapshots: SnapshotStore;
  readonly inputs = new InputLog();
  private readonly ways: Futures;
  private readonly budgetBytes: number;
  private readonly interval: number;
  private readonly denseInterval: number;
  private readonly piece: number;
  /** By name, each with the state of its beginning, for snapshots that have none of its own. */
  private readonly followed = new Map<string, Followed>();
  private readonly detach: () => void;
  /** The furthest instant of this timeline; the machine is in its past where it is before it. */
  private end: Instant;
  private nextInput = 0;
  /** What enters now is what entered then. */
  private isReentering = false;
  /** The machine does again what it did, for a seek or a search: nobody else need know. */
  isReplaying = false;
  /** Whether something new may happen in the past; what followed there is then cut off. */
  mayFork = false;
  /** After the machine was put back to a snapshot. */
  onWentBack: () => void = () => {};

  /** The machine stands at its reset: what it did before cannot be had again. */
  constructor(machine: Machine, options: TimelineOptions = {}) {
    this.machine = machine;
    this.interval = options.interval ?? 50_000_000;
    this.denseInterval = options.denseInterval ?? 2_500_000;
    this.piece = options.piece ?? 400_000;
    this.budgetBytes = options.budgetBytes ?? 512 * 2 ** 20;
    this.snapshots = new SnapshotStore(machine, this.budgetBytes);
    this.end = options.recorded?.end ?? machine.instant;
    this.inputs.replace(options.recorded?.inputs ?? []);
    this.ways = new Futures(options.recorded?.futures);
    this.snapshots.take(0, options.followers ?? []);
    const reset = this.snapshots.upTo(machine.instant);
    for (const each of options.recorded?.snapshots?.(reset) ?? []) this.snapshots.adopt(each);
    for (const each of options.followers ?? []) this.follow(each);
    this.detach = machine.observe({
      name: "timeline",
      on: {
        input: ({ input }) => {
          if (this.isReentering) return undefined;
          this.fork();
          this.inputs.add(this.machine.instant, input);
          this.nextInput = this.inputs.all.length;
          return undefined;
        },
      },
    });
  }

  dispose(): void {
    this.detach();
  }

  /**
   * From now on `follower` goes back with the machine; where nothing was kept, to its beginning. That of one
   * which is there from reset on is no state of a later instant: snapshots that lack it are forgotten.
   */
  follow(follower: Follower): void {
    const { machine, snapshots } = this;
    this.followed.set(follower.name, { follower, beginning: follower.save() });
    if (compareInstants(machine.instant, RESET) === 0) snapshots.keepThoseOf(follower);
  }

  unfollow(name: string): void {
    this.followed.delete(name);
  }

  get followers(): readonly Follower[] {
    return Array.from(this.followed.values(), ({ follower }) => follower);
  }

  get isInPast(): boolean {
    return compareInstants(this.machine.instant, this.end) < 0;
  }

  /** What happens now has happened before. */
  get isRepeating(): boolean {
    return this.isReplaying || this.isInPast;
  }

  /** Throws a PastError in the past, unless a fork is allowed. */
  enter(input: Input): void {
    this.checkFork();
    this.machine.enter(input);
  }

  edit(change: (state: CpuState) => void): void {
    this.checkFork();
    this.machine.edit(change);
  }

  private checkFork(): void {
    if (this.isInPast && !this.mayFork) throw new PastError();
  }

  get endOfTime(): Instant {
    return this.isInPast ? this.end : this.machine.instant;
  }

  /** As Machine.run; what entered in this part of the past enters again. */
  run(limits: RunLimits): RunResult {
    const last = this.snapshots.upTo(this.machine.instant).snapshot.icount;
    if (this.machine.icount - last >= this.interval) this.keep();
    this.enterWhatIsDue();
    const next = this.inputs.all[this.nextInput];
    const left =
      next === undefined ? Number.POSITIVE_INFINITY : next.at.icount - this.machine.icount;
    const result =
      next === undefined || left > limits.instructions
        ? this.machine.run(limits)
        : this.runTowards(next, left, limits);
    this.enterWhatIsDue();
    if (!this.isInPast) this.end = this.machine.instant;
    return result;
  }

  /** Up to the instant of an input, not past it. */
  private runTowards(next: LoggedInput, left: number, limits: RunLimits): RunResult {
    if (left > 0) return this.machine.run({ ...limits, instructions: left });
    const { machine } = this;
    const idleTicks = Math.min(
      limits.idleTicks ?? Number.POSITIVE_INFINITY,
      next.at.idleTicks - machine.instant.idleTicks,
    );
    const stop = this.stopAtEachEvent();
    try {
      const result = machine.run({ ...limits, instructions: 1, idleTicks });
      const isOurs = result.reason === "observer" && result.observer === "timeline";
      return isOurs || result.reason === "idle" ? { reason: "budget" } : result;
    } finally {
      stop();
    }
  }

  private enterWhatIsDue(): void {
    for (;;) {
      const next = this.inputs.all[this.nextInput];
      if (next === undefined || compareInstants(next.at, this.machine.instant) > 0) return;
      this.nextInput++;
      this.isReentering = true;
      try {
        this.machine.enter(next.input);
      } finally {
        this.isReentering = false;
      }
    }
  }

  /** Something new happens in the past: what came after it is another future, which is kept. */
  private fork(): void {
    if (!this.isInPast) return;
    const { instant } = this.machine;
    const left = this.future;
    const parted = { at: instant, inputs: this.nextInput };
    this.ways.fork(this.inputs, this.end, parted);
    this.snapshots.cut(instant, this.nextInput);
    this.end = instant;
    this.mayFork = false;
    for (const follower of this.followers) follower.forked?.(left);
    this.ways.keepWithin(this.budgetBytes * FUTURES_SHARE, left, this.inputs, this.followers);
    this.leaveRestToSnapshots();
  }

  /** Half of the budget at least. */
  private leaveRestToSnapshots(): void {
    const bytes = this.ways.bytes(this.inputs, this.followers);
    this.snapshots.reserve(Math.min(bytes, this.budgetBytes / 2));
  }

  /** The number of the future that the machine is in. */
  get future(): number {
    return this.ways.number;
  }

  get futureCount(): number {
    return this.ways.count;
  }

  /** Those that were left, and the present one among them, by number. */
  get futures(): readonly Future[] {
    return this.ways.all(this.inputs, this.endOfTime);
  }

  /** Puts the machine back to before the present future and another part, and the other ahead of it. */
  private goInto(next: Future): void {
    const left = this.future;
    const parted = parting(this.inputs.all, next.inputs);
    this.ways.switchTo(next, this.inputs, this.endOfTime);
    this.end = next.end;
    for (const follower of this.followers) follower.switched?.(left, next.number);
    this.snapshots.cut(parted.at, parted.inputs);
    this.goBack(this.snapshots.upTo(parted.at));
    this.leaveRestToSnapshots();
  }

  /** Takes a snapshot here. */
  keep(): void {
    this.snapshots.take(this.nextInput, this.followers);
  }

  /**
   * Goes to an instant of this timeline, or of another future of it, a piece at a time; a caller that
   * stops asking leaves the machine somewhere in the past. Throws a DivergedError if the run does not
   * come by it.
   */
  *seek(to: Instant, future = this.future): Generator<SeekProgress, void> {
    const other = future === this.future ? undefined : this.ways.get(future);
    const end = other?.end ?? this.endOfTime;
    if (compareInstants(to, end) > 0) throw new DivergedError("That is in the future");
    yield* this.replaying(this.goTo(to, other, end));
  }

  private *goTo(
    to: Instant,
    other: Future | undefined,
    end: Instant,
  ): Generator<SeekProgress, void> {
    if (other !== undefined) this.goInto(other);
    this.end = end;
    const from = this.snapshots.upTo(to);
    const here = this.machine.instant;
    const isNearer = compareInstants(here, to) <= 0 && compareInstants(here, from.snapshot) >= 0;
    if (!isNearer) this.goBack(from);
    yield* this.replay(to);
  }

  private *replaying<T>(way: Generator<SeekProgress, T>): Generator<SeekProgress, T> {
    this.isReplaying = true;
    try {
      return yield* way;
    } finally {
      this.isReplaying = false;
    }
  }

  /** Goes to the first instant at which so many instructions had retired. */
  *seekIcount(icount: number, future = this.future): Generator<SeekProgress, void> {
    yield* this.seek(firstAt(icount), future);
  }

  /** From the present on one thing at a time; `look` is called at each instant before `to`. */
  *crawl(to: Instant, look: () => void): Generator<SeekProgress, void> {
    yield* this.replaying(this.crawlTo(to, look));
  }

  private *crawlTo(to: Instant, look: () => void): Generator<SeekProgress, void> {
    const { machine } = this;
    const stop = this.stopAtEachEvent();
    try {
      for (let count = 1; compareInstants(machine.instant, to) < 0; count++) {
        look();
        this.enterWhatIsDue();
        const idleTicks = to.idleTicks - machine.instant.idleTicks;
        machine.run({ instructions: 1, idleTicks, passBreakpoint: true });
        if (count % CRAWL_PIECE !== 0) continue;
        yield { icount: machine.icount };
      }
    } finally {
      stop();
    }
  }

  /**
   * The last instant before `before` at which an observer of the caller's stopped the machine; with
   * `isInclusive` at `before` too.
   * `met` tells what for, once, or undefined where the stop was not the caller's. The machine is left
   * somewhere in the past.
   */
  *last<T>(
    before: Instant,
    met: () => T | undefined,
    isInclusive = false,
  ): Generator<SeekProgress, Met<T> | undefined> {
    const [found] = yield* this.latest(before, met, 1, isInclusive);
    return found;
  }

  /** As `last`, and those before it too, newest first: at most so many. */
  *latest<T>(
    before: Instant,
    met: () => T | undefined,
    limit: number,
    isInclusive = false,
  ): Generator<SeekProgress, Met<T>[]> {
    this.end = this.endOfTime;
    return yield* this.replaying(this.searchBack(before, met, limit, isInclusive));
  }

  private *searchBack<T>(
    before: Instant,
    met: () => T | undefined,
    limit: number,
    isInclusive: boolean,
  ): Generator<SeekProgress, Met<T>[]> {
    const all: Met<T>[] = [];
    let found: Met<T>[] = [];
    const look = () => {
      const at = this.machine.instant;
      const what = met();
      const order = compareInstants(at, before);
      if (what === undefined || order > 0 || (order === 0 && !isInclusive)) return false;
      found.push({ at, what });
      if (found.length > limit - all.length) found.shift();
      return false;
    };
    const isEnough = () => {
      all.push(...found.reverse());
      found = [];
      return all.length >= limit;
    };
    yield* this.stretches(before, isEnough, look);
    return all;
  }

  /**
   * Does the run up to an instant again, from snapshot to snapshot, the latest stretch first; `isEnough`
   * is asked at the end of each. The machine is left somewhere in the past.
   */
  *backwards(before: Instant, isEnough: () => boolean): Generator<SeekProgress, void> {
    this.end = this.endOfTime;
    yield* this.replaying(this.stretches(before, isEnough));
  }

  private *stretches(
    before: Instant,
    isEnough: () => boolean,
    look?: () => boolean,
  ): Generator<SeekProgress, void> {
    let end = before;
    for (;;) {
      const from = this.snapshots.before(end);
      if (from === undefined) return;
      this.goBack(from);
      yield* this.replay(end, look);
      if (isEnough()) return;
      end = from.snapshot;
      yield { icount: end.icount };
    }
  }

  /**
   * The first instant after `after`, up to `to`, at which an observer of the caller's stopped the
   * machine, as `met` tells. The machine is left there, or at `to`.
   */
  *first<T>(
    after: Instant,
    to: Instant,
    met: () => T | undefined,
  ): Generator<SeekProgress, Met<T> | undefined> {
    yield* this.seek(after);
    let found: Met<T> | undefined;
    const look = () => {
      const at = this.machine.instant;
      const what = met();
      if (what !== undefined && compareInstants(at, after) > 0) found = { at, what };
      return found !== undefined;
    };
    yield* this.replaying(this.replay(to, look));
    return found;
  }

  /** Runs on to an instant ahead, laying dense snapshots; `look` is asked wherever the machine stops whether to end there. */
  private *replay(to: Instant, look = () => false): Generator<SeekProgress, void> {
    const { machine } = this;
    const start = machine.icount;
    let told = 0;
    let stops = 0;
    let laid = 0;
    this.enterWhatIsDue();
    if (look()) return;
    for (let pass = false; compareInstants(machine.instant, to) < 0; ) {
      const before = machine.instant;
      laid = Math.max(laid, this.snapshots.upTo(before).snapshot.icount);
      const next = this.nextKeep(laid, to);
      const cost = machine.observers.wants("retire") ? FOLLOWED_COST : 1;
      const most = Math.min(next - before.icount, this.piece / cost);
      this.advance(to, pass, most);
      this.enterWhatIsDue();
      const stuck = compareInstants(machine.instant, before) === 0;
      if (stuck && pass) throw new DivergedError(diverged(to));
      if (look()) return;
      pass = stuck;
      if (machine.icount >= next) {
        this.keep();
        laid = machine.icount;
      }
      const done = machine.icount - start;
      const spent = done * cost + ++stops * STOP_COST;
      if (spent - told < this.piece) continue;
      told = spent;
      yield { icount: machine.icount };
    }
    const isAnyOf = to.idleTicks === Number.NEGATIVE_INFINITY && machine.icount === to.icount;
    if (compareInstants(machine.instant, to) > 0 && !isAnyOf) throw new DivergedError(diverged(to));
  }

  /** One piece of a replay, at most up to `to`; `pass` runs past a breakpoint that stopped it here. */
  private advance(to: Instant, pass: boolean, most: number): void {
    const { machine } = this;
    const next = this.inputs.all[this.nextInput];
    const target = next !== undefined && compareInstants(next.at, to) < 0 ? next.at : to;
    const { icount, idleTicks } = machine.instant;
    const left = target.icount - icount;
    if (left > 0) {
      const instructions = Math.min(left, Math.max(1, Math.floor(most)));
      machine.run({ instructions, idleTicks: Number.POSITIVE_INFINITY, passBreakpoint: pass });
      return;
    }
    const stop = this.stopAtEachEvent();
    const idle = Math.max(0, target.idleTicks - idleTicks);
    machine.run({ instructions: 1, idleTicks: idle, passBreakpoint: pass });
    stop();
  }

  /**
   * Where a replay lays its next snapshot: halfway to where it goes, so that a seek back from there
   * replays no more than it goes back, nearly.
   */
  private nextKeep(last: number, to: Instant): number {
    const { denseInterval } = this;
    const half = Math.max((to.icount - last) / 2, denseInterval * CLOSEST_SHARE);
    return last + Math.ceil(Math.min(denseInterval, half));
  }

  private stopAtEachEvent(): () => void {
    return this.machine.observe({
      name: "timeline",
      on: { exception: () => "stop", exit: () => "stop", shutdown: () => "stop" },
    });
  }

  private goBack(to: StoredSnapshot): void {
    this.machine.restore(to.snapshot);
    this.nextInput = to.inputs;
    for (const { follower, beginning } of this.followed.values()) {
      follower.restore(stateOf(follower, to) ?? beginning);
    }
    this.onWentBack();
  }
}

interface Followed {
  readonly follower: Follower;
  readonly beginning: unknown;
}

function diverged(to: Instant): string {
  return `The run does not come by icount ${to.icount} (idle ${to.idleTicks}, event ${to.events}) again`;
}
