/** Searches of the run for what observers meet: the one search that ways through the past are made of. */
import type { Instant, Met, SeekProgress, Timeline } from "../../emulator/index.ts";

/** Listens until the returned function is called; `meet` stops the machine and tells for what. */
export type Arm<T> = (meet: (what: T) => "stop") => () => void;

/** What is armed compares with what it saw last: after a way back it begins anew. */
function* armed<T, R>(
  timeline: Timeline,
  arm: Arm<T>,
  search: (met: () => T | undefined) => Generator<SeekProgress, R>,
): Generator<SeekProgress, R> {
  let met: T | undefined;
  const meet = (what: T) => {
    met = what;
    return "stop" as const;
  };
  const { onWentBack } = timeline;
  let release = arm(meet);
  timeline.onWentBack = () => {
    onWentBack();
    release();
    release = arm(meet);
    met = undefined;
  };
  try {
    return yield* search(() => {
      const now = met;
      met = undefined;
      return now;
    });
  } finally {
    timeline.onWentBack = onWentBack;
    release();
  }
}

/** The latest `limit` meetings before an instant or, with `isInclusive`, at it, newest first. */
export function latestMet<T>(
  timeline: Timeline,
  before: Instant,
  arm: Arm<T>,
  limit: number,
  isInclusive: boolean,
): Generator<SeekProgress, Met<T>[]> {
  return armed(timeline, arm, (met) => timeline.latest(before, met, limit, isInclusive));
}

export function lastMet<T>(
  timeline: Timeline,
  before: Instant,
  arm: Arm<T>,
  isInclusive = false,
): Generator<SeekProgress, Met<T> | undefined> {
  return armed(timeline, arm, (met) => timeline.last(before, met, isInclusive));
}

/** The first meeting after an instant and up to another; the machine is left there. */
export function firstMet<T>(
  timeline: Timeline,
  after: Instant,
  to: Instant,
  arm: Arm<T>,
): Generator<SeekProgress, Met<T> | undefined> {
  return armed(timeline, arm, (met) => timeline.first(after, to, met));
}
