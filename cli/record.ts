/** `minvisor record`: the file that a run is recorded into, as it goes. */
import { closeSync, openSync, writeSync } from "node:fs";
import { deflate } from "../debug-adapter/node/deflate.ts";
import { RunMemory } from "../debug-adapter/run-memory.ts";
import {
  type ExitLedger,
  type Follower,
  type Guests,
  type ImageFile,
  type Machine,
  Recorder,
  type RecordingConfiguration,
  SNAPSHOTS,
} from "../emulator/index.ts";
import {
  attachInvariants,
  type Program,
  readInvariants,
  SHIPPED_INVARIANTS,
} from "../invariants/index.ts";
import { FormatError } from "../symbols/dwarf/reader.ts";
import { BadInput } from "./bad-input.ts";
import { programOf } from "./program.ts";

export interface RecordOptions {
  readonly file: string;
  /** Write the exits too. */
  readonly ledger: boolean;
  /** Write snapshots too, so that an opened recording is at any instant soon. */
  readonly snapshots: boolean;
  /** Instructions between two state hashes; missing for the recorder's own. */
  readonly checkInterval: number | undefined;
}

/** Instructions between two marks, at most. */
const MARK_INTERVAL = 25_000_000;

export class RecordingFile {
  /** Instructions that may pass between two calls of keepUp(). */
  readonly turn: number;
  private readonly descriptor: number;
  private readonly recorder: Recorder;
  /** Ctrl+C was pressed. */
  interrupted = false;
  private readonly onInterrupt = (): void => {
    this.interrupted = true;
  };

  /** The machine stands at its reset with the images loaded. Throws BadInput. */
  constructor(
    machine: Machine,
    configuration: RecordingConfiguration,
    guests: Guests,
    ledger: ExitLedger,
    options: RecordOptions,
  ) {
    const { file, checkInterval } = options;
    const markInterval = Math.min(checkInterval ?? MARK_INTERVAL, MARK_INTERVAL);
    this.turn = markInterval;
    try {
      this.descriptor = openSync(file, "w");
    } catch (error) {
      throw new BadInput(`The recording ${file} cannot be written: ${(error as Error).message}`);
    }
    this.recorder = new Recorder(machine, {
      configuration,
      codec: deflate,
      append: (bytes) => this.append(file, bytes),
      ...(options.ledger ? { ledger } : {}),
      ...(options.snapshots
        ? { snapshots: SNAPSHOTS, followers: followersOf(machine, configuration, guests, ledger) }
        : {}),
      ...(checkInterval === undefined ? {} : { checkInterval }),
      markInterval,
    });
    process.on("SIGINT", this.onInterrupt);
    process.on("SIGTERM", this.onInterrupt);
  }

  private append(file: string, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.descriptor, bytes, at);
    } catch (error) {
      throw new BadInput(
        `The recording ${file} cannot be written on (what is in it is good): ${(error as Error).message}`,
      );
    }
  }

  keepUp(): void {
    this.recorder.keepUp();
  }

  finish(): void {
    process.off("SIGINT", this.onInterrupt);
    process.off("SIGTERM", this.onInterrupt);
    this.recorder.finish();
    closeSync(this.descriptor);
  }
}

/** What a debugger would remember of the run, so that it opens at the end of the recording without a replay. */
function followersOf(
  machine: Machine,
  { kernel }: RecordingConfiguration,
  guests: Guests,
  ledger: ExitLedger,
): Follower[] {
  const program = readableProgram(kernel);
  const files = readInvariants(SHIPPED_INVARIANTS, program);
  const invariants = attachInvariants(machine, {
    invariants: files.flatMap((file) => file.invariants),
    ...{ program, guests },
    onViolation: () => {},
  });
  return [guests, ledger, ...new RunMemory(machine).followers, invariants];
}

/** Undefined also where its symbols are damaged, as in the debugger. */
function readableProgram(kernel: ImageFile): Program | undefined {
  try {
    return programOf(kernel);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
