// A recording opens as the run that was recorded, to every instant of it; what is not that run is refused.
import { beforeAll, describe, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import {
  DivergedError,
  exitRow,
  machineOf,
  Recorder,
  type Recording,
  readRecording,
  recordingOf,
  replayChecked,
  Timeline,
  timelineOf,
} from "../../../emulator/index.ts";
import { ContainerWriter } from "../../../emulator/time/recording-container.ts";
import { crc32 } from "../../../emulator/time/recording-hash.ts";
import { joined, type RecordedRun, recordSample } from "./recorded-run.ts";
import { drain, randomizer, sampleFiles, sampleMachine } from "./sample-run.ts";

const seed = 90_017;
let run: RecordedRun;
let recording: Recording;

beforeAll(() => {
  run = recordSample(seed);
  recording = readRecording(run.file, deflate);
}, 300_000);

const openTimeline = (from: Recording) =>
  timelineOf(machineOf(from), from, { interval: 50_000, denseInterval: 10_000 });

describe(`a recorded run with inputs (seed ${seed})`, () => {
  test("is whole", () => {
    expect(recording.problem).toBeUndefined();
    expect(run.inputs).toBeGreaterThan(20);
    expect(recording.inputs).toHaveLength(run.inputs);
    expect(recording.checks.length).toBeGreaterThan(5);
    expect(recording.end).toEqual(run.seen.at(-1)?.at);
  });

  test("is had again at random instants, forwards and backwards", () => {
    const random = randomizer(seed + 1);
    const timeline = openTimeline(recording);
    for (let i = 0; i < 100; i++) {
      const { at, hash } = run.seen[random(run.seen.length)] as RecordedRun["seen"][number];
      drain(timeline.seek(at));
      expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
    }
  });

  test("replays with every check held, and ends where it ended", () => {
    const timeline = openTimeline(recording);
    expect(drain(replayChecked(timeline, recording, recording.end))).toBe(recording.checks.length);
    expect(timeline.machine.instant).toEqual(recording.end);
    expect(timeline.machine.stateHash()).toBe(run.seen.at(-1)?.hash);
  });

  test("has its ledger, row for row", () => {
    const rows = (table: Parameters<typeof exitRow>[0]) =>
      Array.from({ length: table.length }, (_, row) => exitRow(table, row));
    expect(recording.ledger).toBeDefined();
    if (recording.ledger === undefined) return;
    expect(rows(recording.ledger)).toEqual(rows(run.ledger.table));
  });

  test("takes a few kilobytes more than its compressed images", () => {
    const { kernel, modules = [] } = sampleFiles();
    const images = [kernel, ...modules].map(({ bytes }) => deflate.compress(bytes).length);
    expect(run.file.length).toBeLessThan(images.reduce((a, b) => a + b) + 40_000);
  });
});

test(`from its snapshots a recording is at random instants at once (seed ${seed})`, () => {
  const random = randomizer(seed + 2);
  const recorded = recordSample(seed, 30_000);
  const opened = readRecording(recorded.file, deflate);
  expect(opened.snapshots.length).toBeGreaterThan(10);
  const seek = (times: number, farthest: number) => {
    const timeline = openTimeline(opened);
    expect(timeline.snapshots.all.length).toBe(opened.snapshots.length + 1);
    for (let i = 0; i < times; i++) {
      const { at, hash } = recorded.seen[
        random(recorded.seen.length)
      ] as RecordedRun["seen"][number];
      const from = timeline.snapshots.upTo(at).snapshot.icount;
      expect(at.icount - from).toBeLessThanOrEqual(farthest);
      drain(timeline.seek(at));
      expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
    }
  };
  // A machine each, so that a seek is the first; then many with one, back and forth.
  for (let i = 0; i < 5; i++) seek(1, 40_000);
  seek(40, 40_000);
});

test("a timeline is saved whole, also from its past, and with another future another one", () => {
  const timeline = new Timeline(sampleMachine());
  const { machine } = timeline;
  const save = () => readRecording(recordingOf(timeline, sampleFiles(), deflate), deflate);
  const replayed = (saved: Recording) => {
    const again = openTimeline(saved);
    drain(replayChecked(again, saved, saved.end));
    return again.machine.stateHash();
  };
  timeline.run({ instructions: 90_000 });
  const past = machine.instant;
  machine.enter({ kind: "serial", port: 0, bytes: Uint8Array.of(0x41) });
  timeline.run({ instructions: 90_000 });
  const hash = machine.stateHash();
  expect(save().checks).toEqual([{ at: machine.instant, hash }]);
  expect(replayed(save())).toBe(hash);
  drain(timeline.seek(past));
  expect(save().checks).toEqual([]);
  expect(replayed(save())).toBe(hash);
  machine.enter({ kind: "memory", address: 0x300_0000, bytes: Uint8Array.of(1) });
  timeline.run({ instructions: 90_000 });
  expect(save().inputs).toHaveLength(2);
  expect(replayed(save())).toBe(machine.stateHash());
  expect(machine.stateHash()).not.toBe(hash);
});

test("an input that is left out makes another run, and the replay says between which instants", () => {
  const index = recording.inputs.findIndex(({ input }) => input.kind === "memory");
  const inputs = recording.inputs.filter((_, i) => i !== index);
  const at = recording.inputs[index]?.at.icount ?? 0;
  const other = { ...recording, inputs };
  let message = "";
  try {
    drain(replayChecked(openTimeline(other), other, other.end));
  } catch (error) {
    expect(error).toBeInstanceOf(DivergedError);
    message = (error as Error).message;
  }
  const [, from, to] = /diverges between icount (\d+) and (\d+)/.exec(message) ?? [];
  expect(message).toContain("not the recorded run");
  expect(Number(from)).toBeLessThanOrEqual(at);
  expect(Number(to)).toBeGreaterThanOrEqual(at);
});

test("another image diverges at the start", () => {
  const { kernel } = recording.configuration;
  const bytes = kernel.bytes.slice();
  bytes[bytes.length - 1] = 0;
  const at = bytes.lastIndexOf(0x90, 20_000);
  bytes[at] = 0x91;
  const other = {
    ...recording,
    configuration: { ...recording.configuration, kernel: { ...kernel, bytes } },
  };
  expect(() => drain(replayChecked(openTimeline(other), other, other.end))).toThrow(
    /diverges at its start/,
  );
});

test("an image that is named twice is stored once", () => {
  const { kernel, modules = [], ramBytes } = sampleFiles();
  const [guest] = modules;
  if (guest === undefined) throw new Error("The sample has no module");
  const size = (count: number) => {
    let bytes = 0;
    new Recorder(sampleMachine(), {
      configuration: { kernel, modules: Array(count).fill(guest), ramBytes },
      codec: deflate,
      append: (piece) => {
        bytes += piece.length;
      },
    });
    return bytes;
  };
  expect(size(3) - size(1)).toBeLessThan(200);
});

describe("what cannot be opened is refused in words", () => {
  const written = (...parts: (readonly [string, unknown])[]): Uint8Array => {
    const pieces: Uint8Array[] = [];
    const container = new ContainerWriter((bytes) => pieces.push(bytes), deflate);
    for (const [type, value] of parts) {
      container.put(type as "CONF", new TextEncoder().encode(JSON.stringify(value)));
    }
    return joined(pieces);
  };

  test("the recording of another version of the machine", () => {
    const file = written(["CONF", { machine: "0.9-other" }]);
    expect(() => readRecording(file, deflate)).toThrow(
      /was made by machine version 0\.9-other, and this is version .* open it with the version/,
    );
  });

  test("another format", () => {
    const file = written();
    file[8] = 7;
    expect(() => readRecording(file, deflate)).toThrow("has a damaged header");
    const other = written();
    const view = new DataView(other.buffer, other.byteOffset);
    view.setUint32(8, 7, true);
    view.setUint32(12, crc32(other.subarray(0, 12)), true);
    expect(() => readRecording(other, deflate)).toThrow(
      /is a recording of format 7, and this version reads format 1/,
    );
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["a text", new TextEncoder().encode("hello, this is no recording\n")],
  ])("%s", (_, file) => {
    expect(() => readRecording(file, deflate)).toThrow("is not a recording");
  });

  test("a configuration without its images", () => {
    expect(() => readRecording(written(), deflate)).toThrow(/ends before its configuration/);
    const kernel = { name: "k.elf", sha256: "00" };
    const file = written(["CONF", { machine: "1", ramBytes: 4096, kernel, modules: [] }]);
    expect(() => readRecording(file, deflate)).toThrow(/ends before the image k\.elf/);
  });
});
