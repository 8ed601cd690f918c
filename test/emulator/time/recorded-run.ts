// A recorded run of MinVisor with the sample guest, with inputs of every kind at random instants.

import { deflate } from "../../../debug-adapter/node/deflate.ts";
import {
  type Changes,
  ExitLedger,
  Guests,
  type Instant,
  Recorder,
  type SnapshotPolicy,
} from "../../../emulator/index.ts";
import { randomBelow } from "../../harness/random.ts";
import { sampleFiles, sampleMachine } from "./sample-run.ts";

/** Unlike Buffer.concat a plain array, whose slices are copies. */
export const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(Buffer.concat(pieces));

export interface RecordedRun {
  readonly file: Uint8Array;
  /** Length of the file after each append. */
  readonly lengths: readonly number[];
  /** Instants between inputs, and what the machine was there. */
  readonly seen: readonly { readonly at: Instant; readonly hash: string }[];
  readonly ledger: ExitLedger;
  readonly inputs: number;
}

/** Something enters the machine. */
export function enterSomething(machine: Changes, random: (below: number) => number): void {
  const byte = Uint8Array.of(random(256));
  switch (random(3)) {
    case 0:
      machine.enter({ kind: "serial", port: random(2) as 0 | 1, bytes: Uint8Array.of(0x41, 0x42) });
      break;
    case 1:
      machine.enter({ kind: "memory", address: 0x300_0000 + random(4096), bytes: byte });
      break;
    default:
      machine.edit((state) => {
        state.dr0 = BigInt(random(1 << 20));
      });
  }
}

/** However large they are. */
export const everyOne = (interval: number): SnapshotPolicy => ({
  ...{ interval, imageShare: Number.POSITIVE_INFINITY, bytesPerInstruction: 0 },
});

export function recordSample(seed: number, snapshotInterval?: number): RecordedRun {
  const random = randomBelow(seed);
  const machine = sampleMachine();
  const ledger = new ExitLedger(machine, new Guests(machine));
  const pieces: Uint8Array[] = [];
  const lengths: number[] = [];
  let length = 0;
  const recorder = new Recorder(machine, {
    configuration: sampleFiles(),
    codec: deflate,
    ledger,
    markInterval: 4_000,
    checkInterval: 20_000,
    ...(snapshotInterval === undefined ? {} : { snapshots: everyOne(snapshotInterval) }),
    append: (bytes) => {
      pieces.push(bytes.slice());
      length += bytes.length;
      lengths.push(length);
    },
  });
  const seen: { at: Instant; hash: string }[] = [];
  let inputs = 0;
  for (;;) {
    const { reason } = machine.run({ instructions: 1 + random(5_000), idleTicks: 400_000 });
    recorder.keepUp();
    if (random(4) === 0) {
      for (let left = 1 + random(2); left > 0; left--, inputs++) enterSomething(machine, random);
    }
    seen.push({ at: machine.instant, hash: machine.stateHash() });
    if (reason !== "budget" && reason !== "idle") break;
  }
  recorder.finish();
  return { file: joined(pieces), lengths, seen, ledger, inputs };
}
