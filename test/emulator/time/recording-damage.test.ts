// Damaged and cut recordings: an honest shorter run or a refusal, never another run and never a crash.

import { beforeAll, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import {
  compareInstants,
  machineOf,
  type Recording,
  RecordingError,
  readRecording,
  replayChecked,
  timelineOf,
} from "../../../emulator/index.ts";
import { randomBelow } from "../../harness/random.ts";
import { joined, type RecordedRun, recordSample } from "./recorded-run.ts";
import { drain } from "./sample-run.ts";

const seed = 31_337;
let run: RecordedRun;
let whole: Recording;

beforeAll(() => {
  run = recordSample(seed);
  whole = readRecording(run.file, deflate);
}, 300_000);

/** The recording, or the sentence of its refusal; anything else that is thrown fails the test. */
function open(file: Uint8Array): Recording | string {
  try {
    return readRecording(file, deflate);
  } catch (error) {
    if (error instanceof RecordingError) return error.message;
    throw error;
  }
}

/** Whether the images are the same: Vitest takes a second for that. */
function sameImages({ configuration: a }: Recording, { configuration: b }: Recording): boolean {
  const files = [a.kernel, ...(a.modules ?? [])];
  const others = [b.kernel, ...(b.modules ?? [])];
  return files.every(({ name, bytes }, i) => {
    const other = others[i];
    return other?.name === name && Buffer.compare(bytes, other.bytes) === 0;
  });
}

/** The opened part is the beginning of the whole, and says that it is not the whole. */
function expectHonest(opened: Recording, what: string): void {
  expect(opened.problem, what).toMatch(/^It (is|was) .* missing\.$/);
  expect(compareInstants(opened.end, whole.end), what).toBeLessThanOrEqual(0);
  expect(sameImages(opened, whole), what).toBe(true);
  const known = whole.inputs.slice(0, opened.inputs.length);
  expect(JSON.stringify(opened.inputs), what).toBe(JSON.stringify(known));
  const next = whole.inputs[opened.inputs.length];
  if (next !== undefined) {
    expect(compareInstants(next.at, opened.end), what).toBeGreaterThanOrEqual(0);
  }
  const hashes = new Map(whole.checks.map(({ at, hash }) => [JSON.stringify(at), hash]));
  for (const { at, hash } of opened.checks) {
    expect(hashes.get(JSON.stringify(at)) ?? hash, what).toBe(hash);
  }
}

test(`a thousand flipped bytes (seed ${seed})`, () => {
  const random = randomBelow(seed);
  let refused = 0;
  let shorter = 0;
  for (let i = 0; i < 1000; i++) {
    const file = run.file.slice();
    // Half of them behind the images, which take the most of a small recording.
    const [, , afterImages = 0] = run.lengths.filter((length) => length > 1000);
    const from = i % 2 === 0 ? 0 : afterImages;
    const changes = Array.from({ length: 1 + random(3) }, () => {
      const at = from + random(file.length - from);
      file[at] = (file[at] ?? 0) ^ (1 + random(255));
      return at;
    });
    const opened = open(file);
    if (typeof opened === "string") refused++;
    else if (Buffer.compare(file, run.file) !== 0) {
      expectHonest(opened, `bytes ${changes}`);
      shorter++;
    }
  }
  expect(refused).toBeGreaterThan(300);
  expect(shorter).toBeGreaterThan(300);
});

test(`cut at any length (seed ${seed})`, () => {
  const random = randomBelow(seed + 1);
  const { file, lengths } = run;
  const cuts = [
    ...lengths.slice(0, -1),
    ...lengths.map((length) => length - 1),
    ...Array.from({ length: 300 }, () => random(file.length)),
  ];
  let latest = 0;
  for (const length of cuts) {
    const opened = open(file.subarray(0, length));
    if (typeof opened === "string") expect(opened).toMatch(/before|header|no recording|not a rec/);
    else {
      expectHonest(opened, `cut at ${length}`);
      latest = Math.max(latest, opened.end.icount);
    }
  }
  // Nothing but the last piece is lost of a file that lacks its last part.
  expect(whole.end.icount - latest).toBeLessThan(10_000);
});

test(`what is left replays as the run that it was (seed ${seed})`, () => {
  const random = randomBelow(seed + 2);
  for (let i = 0; i < 6; i++) {
    const cut = run.file.length - random(3000);
    const opened = open(run.file.subarray(0, cut));
    if (typeof opened === "string") throw new Error(opened);
    const timeline = timelineOf(machineOf(opened), opened);
    const held = drain(replayChecked(timeline, opened, opened.end));
    expect(held).toBe(opened.checks.length);
    const known = run.seen.find(({ at }) => compareInstants(at, opened.end) === 0);
    const next = whole.inputs[opened.inputs.length];
    if (next !== undefined && compareInstants(next.at, opened.end) === 0) continue;
    if (known !== undefined) expect(timeline.machine.stateHash()).toBe(known.hash);
  }
});

test("parts that are swapped, left out or doubled are no recording of this run", () => {
  const { file, lengths } = run;
  const parts = lengths.map((end, i) => file.subarray(lengths[i - 1] ?? 0, end));
  for (const at of [8, 12, parts.length - 3]) {
    const [one, two] = [parts[at] as Uint8Array, parts[at + 1] as Uint8Array];
    const before = parts.slice(0, at);
    const after = parts.slice(at + 2);
    const kinds = { swapped: [two, one], "left out": [two], doubled: [one, one, two] };
    for (const [what, pieces] of Object.entries(kinds)) {
      const opened = open(joined([...before, ...pieces, ...after]));
      if (typeof opened === "string") throw new Error(opened);
      expectHonest(opened, `part ${at} ${what}`);
      expect(opened.problem).toContain("damaged at byte");
    }
  }
});
