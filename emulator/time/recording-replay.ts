/** Replays a recording: a machine with the recorded run as its timeline, and the check that it is that run. */
import { loadKernel } from "../loader/load-kernel.ts";
import { Machine, type Snapshot } from "../machine.ts";
import { ImagePieces } from "./image-pieces.ts";
import { compareInstants, type Instant } from "./instant.ts";
import type { Check, Recording } from "./recording.ts";
import { imagesOf } from "./recording-parts.ts";
import { type SnapshotPart, snapshotOf } from "./recording-snapshots.ts";
import type { StoredSnapshot } from "./snapshot-store.ts";
import { DivergedError, type SeekProgress, Timeline, type TimelineOptions } from "./timeline.ts";

/** A machine at the recording's first instruction. */
export function machineOf({ configuration }: Recording): Machine {
  const { ramBytes, startTime } = configuration;
  const machine = new Machine({ ramBytes, ...(startTime === undefined ? {} : { startTime }) });
  machine.load(loadKernel(configuration));
  return machine;
}

/**
 * The recorded run, whose end is the recording's; the machine stands at its reset, from machineOf. Of the
 * recording's snapshots it has those that say what its followers saw.
 */
export function timelineOf(
  machine: Machine,
  { configuration, inputs, end, futures, snapshots: parts }: Recording,
  options: TimelineOptions = {},
): Timeline {
  const images = new ImagePieces(imagesOf(configuration).map(({ bytes }) => bytes));
  const snapshots = (reset: StoredSnapshot) => storedOf(parts, reset, images);
  const recorded = { inputs, end, snapshots, ...(futures && { futures }) };
  return new Timeline(machine, { ...options, recorded });
}

function storedOf(
  parts: readonly SnapshotPart[],
  reset: StoredSnapshot,
  images: ImagePieces,
): StoredSnapshot[] {
  const bases = [reset.snapshot];
  return parts.map((part) => {
    const base = bases[part.base] as Snapshot;
    const snapshot = snapshotOf(part, base, images);
    bases.push(snapshot);
    const states = Array.from(
      part.followers,
      ([name, state]) => [name, { ...state, isPlain: true }] as const,
    );
    return { snapshot, inputs: part.inputs, followers: new Map(states) };
  });
}

/**
 * Goes through the recording's checks that lie ahead, up to `to`, and then to `to`. Returns how many
 * held: with snapshots of the recording, only from one of them on. Throws a DivergedError that says between which instants the replay became another run.
 */
export function* replayChecked(
  timeline: Timeline,
  { checks }: Recording,
  to: Instant,
): Generator<SeekProgress, number> {
  const { machine } = timeline;
  let held = 0;
  let good = machine.icount;
  for (const check of checks) {
    if (compareInstants(check.at, machine.instant) < 0) continue;
    if (compareInstants(check.at, to) > 0) break;
    yield* timeline.seek(check.at);
    compare(check, machine.stateHash(), good);
    good = check.at.icount;
    held++;
  }
  yield* timeline.seek(to);
  return held;
}

function compare({ at, hash }: Check, found: string, good: number): void {
  if (found === hash) return;
  const where = at.icount === 0 ? "at its start" : `between icount ${good} and ${at.icount}`;
  throw new DivergedError(
    `The replay is not the recorded run: it diverges ${where}, where the state hash is ${found} instead of ${hash}`,
  );
}
