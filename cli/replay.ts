/** `minvisor replay`: runs a recording again and checks that it is the same run. */
import {
  DivergedError,
  type Instant,
  type Recording,
  replayChecked,
  type Timeline,
  timelineOf,
} from "../emulator/index.ts";
import { openRecording, recordedMachine } from "./open-recording.ts";
import { SerialOutput } from "./serial-output.ts";
import { Status } from "./status.ts";

export interface ReplayOptions {
  readonly file: string;
  /** Stop at the first instant with this icount; missing for the end. */
  readonly untilIcount: number | undefined;
  /** Say that the checks held instead of showing the console. */
  readonly check: boolean;
  readonly stateHash: boolean;
}

/** A timeline without snapshots, those of the recording among them: every instruction is run again. */
function replayOnce(recording: Recording): Timeline {
  const never = Number.POSITIVE_INFINITY;
  const options = { interval: never, denseInterval: never };
  return timelineOf(recordedMachine(recording), { ...recording, snapshots: [] }, options);
}

/** Through the checks before an icount, and on to it. Throws a DivergedError. */
function replayTo(timeline: Timeline, recording: Recording, icount: number | undefined): number {
  const { end, checks } = recording;
  if (icount === undefined || icount > end.icount) return drain(timeline, recording, end);
  const last = checks.findLast(({ at }) => at.icount < icount);
  const held = last === undefined ? 0 : drain(timeline, recording, last.at);
  const { machine } = timeline;
  while (machine.icount < icount) {
    const before = machine.instant;
    const instructions = icount - machine.icount;
    timeline.run({ instructions, idleTicks: Number.POSITIVE_INFINITY, passBreakpoint: true });
    if (machine.icount === before.icount && machine.instant.events === before.events) {
      throw new DivergedError(`The run does not come to icount ${icount} again`);
    }
  }
  return held;
}

function drain(timeline: Timeline, recording: Recording, to: Instant): number {
  const steps = replayChecked(timeline, recording, to);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Replays; returns the exit status. Throws BadInput. */
export function replay(options: ReplayOptions): number {
  const recording = openRecording(options.file);
  const timeline = replayOnce(recording);
  const { machine } = timeline;
  const output = new SerialOutput(options.check ? "null" : "stdio", undefined);
  machine.observe({
    name: "console",
    on: {
      console: ({ source, byte }) => {
        if (source === "com1") output.put(byte);
        return undefined;
      },
    },
  });
  try {
    const held = replayTo(timeline, recording, options.untilIcount);
    output.close();
    if (options.check) {
      process.stdout.write(`${held} checks hold up to icount ${machine.icount}\n`);
    }
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    output.close();
    process.stderr.write(`minvisor: ${error.message}.\n`);
    return Status.diverged;
  }
  if (options.untilIcount !== undefined && options.untilIcount > recording.end.icount) {
    process.stderr.write(`minvisor: The recording ends at icount ${recording.end.icount}.\n`);
  }
  if (options.stateHash) process.stdout.write(`state-hash ${machine.stateHash()}\n`);
  return Status.done;
}
