// A recording opens as the run that was recorded, to every instant of it; what is not that run is refused.

import { beforeAll, describe, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import {
  DivergedError,
  ExitLedger,
  exitRow,
  Guests,
  type Instant,
  type LedgerTable,
  MACHINE_VERSION,
  machineOf,
  type ObserverEvents,
  Recorder,
  type RecorderOptions,
  type Recording,
  readRecording,
  recordingOf,
  replayChecked,
  sha256,
  Timeline,
  timelineOf,
  VMCB_FIELDS,
} from "../../../emulator/index.ts";
import type { Future } from "../../../emulator/time/futures.ts";
import { NUMBER_COLUMNS, WIDE_COLUMNS } from "../../../emulator/time/ledger-columns.ts";
import { ContainerWriter, LAYOUTS } from "../../../emulator/time/recording-container.ts";
import { crc32 } from "../../../emulator/time/recording-hash.ts";
import type { TimelineOptions } from "../../../emulator/time/timeline.ts";
import { randomBelow } from "../../harness/random.ts";
import {
  enterSomething,
  everyOne,
  joined,
  type RecordedRun,
  recordSample,
} from "./recorded-run.ts";
import { drain, sampleFiles, sampleMachine } from "./sample-run.ts";

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
    const random = randomBelow(seed + 1);
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
  const random = randomBelow(seed + 2);
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
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { followers: [guests, ledger] });
  const rowsOf = (table: LedgerTable) =>
    Array.from({ length: table.extent }, (_, row) => exitRow(table, row));
  const save = () =>
    readRecording(recordingOf(timeline, sampleFiles(), deflate, ledger, everyOne(40_000)), deflate);
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
  const rows = rowsOf(ledger.table);
  expect(rows.length).toBeGreaterThan(3);
  expect(rowsOf(save().ledger!)).toEqual(rows);
  expect(save().snapshots.at(-1)?.state.icount).toBe(machine.icount);
  expect(save().checks).toEqual([{ at: machine.instant, hash }]);
  expect(replayed(save())).toBe(hash);
  drain(timeline.seek(past));
  expect(save().checks).toEqual([]);
  expect(rowsOf(save().ledger!)).toEqual(rows);
  expect(save().snapshots.length).toBeGreaterThan(0);
  expect(replayed(save())).toBe(hash);
  machine.enter({ kind: "memory", address: 0x300_0000, bytes: Uint8Array.of(1) });
  timeline.run({ instructions: 90_000 });
  expect(save().inputs).toHaveLength(2);
  expect(replayed(save())).toBe(machine.stateHash());
  expect(machine.stateHash()).not.toBe(hash);
});

test(`the futures that were left are saved too, and come again (seed ${seed})`, () => {
  const random = randomBelow(seed + 6);
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { interval: 30_000, followers: [guests, ledger] });
  const rowsOf = (table: LedgerTable) =>
    Array.from({ length: table.extent }, (_, row) => exitRow(table, row));
  const known = new Map<number, { at: Instant; hash: string; rows: unknown }>();
  timeline.run({ instructions: 250_000 });
  for (let i = 0; i < 8; i++) {
    if (random(2) > 0) enterSomething(timeline, random);
    timeline.run({ instructions: 1 + random(30_000) });
    const ended = { at: machine.instant, hash: machine.stateHash(), rows: rowsOf(ledger.table) };
    known.set(timeline.future, ended);
    const futures = [...known.keys()];
    const next = futures[random(futures.length)] as number;
    drain(timeline.seekIcount(100_000 + random(known.get(next)!.at.icount - 100_000), next));
    timeline.mayFork = true;
    enterSomething(timeline, random);
  }
  known.set(timeline.future, {
    ...{ at: machine.instant, hash: machine.stateHash(), rows: rowsOf(ledger.table) },
  });
  const { futures, future } = timeline;
  const saved = readRecording(
    recordingOf(timeline, sampleFiles(), deflate, ledger, everyOne(40_000)),
    deflate,
  );
  const other = machineOf(saved);
  const others = new Guests(other);
  const again = new ExitLedger(other, others, saved);
  const opened = timelineOf(other, saved, { interval: 30_000, followers: [others, again] });
  expect(opened.future).toBe(future);
  expect(opened.futures).toEqual(futures);
  for (const [number, { rows }] of known) {
    if (number !== future) expect(rowsOf(again.tableLeft(number)!)).toEqual(rows);
  }
  const numbers = [...known.keys(), ...known.keys(), future].reverse();
  expect(known.size).toBe(9);
  for (const number of numbers) {
    const { at, hash, rows } = known.get(number)!;
    drain(opened.seek(at, number));
    expect(other.stateHash(), `future ${number}`).toBe(hash);
    expect(rowsOf(again.table), `future ${number}`).toEqual(rows);
  }
  // The next one is none of those.
  drain(opened.seekIcount(110_000));
  opened.mayFork = true;
  enterSomething(opened, random);
  expect(opened.future).toBe(Math.max(...numbers) + 1);
});

test("snapshots of exits that the recording does not have are passed over, and the exits come again", () => {
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { interval: 50_000, followers: [guests, ledger] });
  timeline.run({ instructions: 250_000 });
  const bytes = recordingOf(timeline, sampleFiles(), deflate, undefined, everyOne(40_000));
  const saved = readRecording(bytes, deflate);
  expect(saved.snapshots.length).toBeGreaterThan(0);
  const other = machineOf(saved);
  const others = new Guests(other);
  const again = new ExitLedger(other, others, saved);
  const opened = timelineOf(other, saved, { followers: [others, again] });
  drain(opened.seek(saved.end));
  expect(other.stateHash()).toBe(machine.stateHash());
  expect(again.length).toBe(ledger.length);
  expect(again.length).toBeGreaterThan(0);
});

test("a saved recording that is cut among its exits is the whole run without them", () => {
  const timeline = new Timeline(sampleMachine());
  timeline.run({ instructions: 90_000 });
  const saved = recordingOf(timeline, sampleFiles(), deflate);
  const cut = readRecording(saved.subarray(0, saved.length - 10), deflate);
  expect(cut.end).toEqual(timeline.machine.instant);
  expect(cut.problem).toMatch(/cut short at byte/);
});

/** A run that goes on, back and another way at random, recorded as it goes. */
function recordForks(
  random: (below: number) => number,
  recorded: Pick<RecorderOptions, "snapshots"> = {},
  kept: TimelineOptions = { interval: 50_000 },
) {
  const machine = sampleMachine();
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = new Timeline(machine, { ...kept, followers: [guests, ledger] });
  const pieces: Uint8Array[] = [];
  const options = { markInterval: 9_000, checkInterval: 40_000, timeline, ledger, codec: deflate };
  const append = (bytes: Uint8Array) => void pieces.push(bytes);
  const recorder = new Recorder(machine, {
    ...{ ...options, ...recorded, configuration: sampleFiles(), append },
  });
  const flushed: { pieces: number; hash: string; exits: number; left: Future[] }[] = [];
  const left = () => timeline.futures.filter(({ number }) => number !== timeline.future);
  let forks = 0;
  /** Half of the times in an exit's handler, whose row then ends otherwise. */
  const fork = () => {
    const row = exitRow(ledger.table, ledger.length - 1 - random(Math.min(ledger.length, 4)));
    const isInHandler = random(2) === 0;
    const back = isInHandler
      ? timeline.seek(row.at)
      : timeline.seekIcount(machine.icount - random(9_000));
    drain(back);
    recorder.flush();
    timeline.mayFork = random(3) > 0;
    if (!timeline.mayFork) return;
    forks++;
    if (isInHandler) {
      const address = vmcb + VMCB_FIELDS.TSC_OFFSET.offset;
      timeline.enter({ kind: "memory", address, bytes: Uint8Array.of(random(256)) });
    } else enterSomething(timeline, random);
  };
  let vmcb = 0;
  const onExit = (event: ObserverEvents["exit"]) => {
    vmcb = event.vmcb;
    return undefined;
  };
  machine.observe({ name: "vmcb", on: { exit: onExit } });
  while (ledger.length === 0) timeline.run({ instructions: 10_000 });
  for (let i = 0; i < 60; i++) {
    timeline.run({ instructions: 1 + random(3_000) });
    recorder.keepUp();
    if (random(3) === 0) enterSomething(timeline, random);
    if (random(3) === 0 && ledger.length > 0) fork();
    if (timeline.isInPast) drain(timeline.seek(timeline.endOfTime));
    recorder.flush();
    const now = { hash: machine.stateHash(), exits: ledger.finished, left: left() };
    flushed.push({ pieces: pieces.length, ...now });
  }
  recorder.finish();
  return { pieces, flushed, forks, hash: machine.stateHash(), ledger };
}

test(`a run that went back and another way is recorded as it was in the end (seed ${seed})`, () => {
  const random = randomBelow(seed + 3);
  const { pieces, flushed, forks, hash, ledger } = recordForks(random);
  expect(forks).toBeGreaterThan(5);
  const replayed = (file: Uint8Array) => {
    const opened = readRecording(file, deflate);
    const timeline = openTimeline(opened);
    const known = new ExitLedger(timeline.machine, new Guests(timeline.machine)).table;
    expect(drain(replayChecked(timeline, opened, opened.end))).toBe(opened.checks.length);
    const written = opened.ledger?.length ?? 0;
    const rows = Array.from({ length: written }, (_, row) => exitRow(known, row));
    expect(rows).toEqual(rows.map((_, row) => exitRow(opened.ledger!, row)));
    const left = opened.futures?.left.map(({ future }) => future) ?? [];
    return { hash: timeline.machine.stateHash(), exits: written, left, opened };
  };
  const whole = replayed(joined(pieces));
  expect(whole).toMatchObject({ hash, exits: ledger.length, opened: { problem: undefined } });
  // Killed right after a flush, it has lost nothing.
  for (let i = 0; i < 12; i++) {
    const { pieces: count, ...then } = flushed[random(flushed.length)]!;
    expect(replayed(joined(pieces.slice(0, count)))).toMatchObject(then);
  }
});

test(`a file that follows a run has snapshots of what the run is in the end (seed ${seed})`, () => {
  const random = randomBelow(seed + 11);
  const kept = { interval: 2_000, denseInterval: 1_000, budgetBytes: 3 * 2 ** 20 };
  const { pieces, flushed, forks, hash } = recordForks(
    random,
    { snapshots: everyOne(4_000) },
    kept,
  );
  expect(forks).toBeGreaterThan(5);
  const opened = (count: number) => readRecording(joined(pieces.slice(0, count)), deflate);
  const bases = new Set<number>();
  const expectSame = (recording: Recording, end: string) => {
    const [timeline, replayed] = [recording, { ...recording, snapshots: [] }].map(openTimeline);
    const { snapshots } = timeline!;
    recording.snapshots.forEach(({ base }, i) => void bases.add(i - base));
    for (const { snapshot: at } of snapshots.all.slice()) {
      for (const each of [timeline!, replayed!]) drain(each.seek(at));
      expect(timeline!.machine.stateHash(), `at ${at.icount}`).toBe(replayed!.machine.stateHash());
    }
    drain(timeline!.seek(recording.end));
    expect(timeline!.machine.stateHash()).toBe(end);
  };
  const whole = opened(pieces.length);
  expect(whole.snapshots.length).toBeGreaterThan(5);
  expect(whole.snapshots.at(-1)?.state.icount).toBe(whole.end.icount);
  expectSame(whole, hash);
  for (let i = 0; i < 8; i++) {
    const then = flushed[random(flushed.length)]!;
    expectSame(opened(then.pieces), then.hash);
  }
  // Some go on from the one before, some from an earlier one: that one was let go.
  expect(bases.size).toBeGreaterThan(1);
});

test("snapshots of a file that follows a run take no more of it than their policy has", () => {
  const sizes = [0, 0.3, 50].map((imageShare) => {
    const snapshots = { interval: 4_000, imageShare, bytesPerInstruction: 0 };
    const { pieces } = recordForks(randomBelow(seed + 5), { snapshots }, { interval: 2_000 });
    return joined(pieces).length;
  });
  const { kernel, modules = [] } = sampleFiles();
  const stored = [kernel, ...modules].map(({ bytes }) => deflate.compress(bytes).length);
  const images = stored.reduce((a, b) => a + b);
  const [none = 0, some = 0, all = 0] = sizes;
  expect(some - none).toBeGreaterThan(0);
  expect(some - none).toBeLessThan(0.3 * images + 5_000);
  expect(all - none).toBeGreaterThan(0.6 * images);
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

  /** The file with the parts of a type said to be of another layout, and its checksums true. */
  const withLayout = (file: Uint8Array, type: string, layout: number): Uint8Array => {
    const other = file.slice();
    const view = new DataView(other.buffer);
    let crc = view.getUint32(12, true);
    for (let at = 16; at < other.length; ) {
      const letters = new TextDecoder().decode(other.subarray(at, at + 4));
      if (letters === type) view.setUint16(at + 6, layout, true);
      crc = crc32(other.subarray(at, at + 16), crc);
      view.setUint32(at + 16, crc, true);
      const end = at + 20 + view.getUint32(at + 8, true);
      crc = crc32(other.subarray(at + 20, end), crc);
      view.setUint32(end, crc, true);
      at = end + 4;
    }
    return other;
  };

  test("a part of another layout: what a replay gives is passed over, and the run is the same", () => {
    const recorded = recordSample(seed, 200_000).file;
    const opened = (type: string, layout: number) => {
      const { ledger, snapshots, ...run } = readRecording(
        withLayout(recorded, type, layout),
        deflate,
      );
      return { rows: ledger?.length, snapshots: snapshots.length, run: JSON.stringify(run) };
    };
    const whole = opened("NONE", 1);
    for (const layout of [8, 9]) {
      expect(opened("LEDG", layout)).toEqual({ ...whole, rows: undefined });
      expect(opened("SNAP", layout)).toEqual({ ...whole, snapshots: 0 });
    }
    expect(whole.snapshots).toBeGreaterThan(1);
    for (const type of ["CONF", "IMAG", "INPT", "MARK", "DONE"]) {
      expect(() => readRecording(withLayout(recorded, type, 9), deflate)).toThrow(
        new RegExp(`has a part ${type} of layout 9, .* open it with the version that made it`),
      );
    }
  });

  test("rows of the ledger that are made otherwise are of another layout: change both here", () => {
    const columns = [...NUMBER_COLUMNS, ...WIDE_COLUMNS, ...Object.keys(VMCB_FIELDS)].join(" ");
    const hash = sha256(new TextEncoder().encode(columns));
    const { LEDG, FUTU } = LAYOUTS;
    expect([LEDG, FUTU, hash.slice(0, 16)]).toEqual([1, 0, "eb0d9d45bd4082b4"]);
  });

  test.each([
    ["nothing", new Uint8Array(), "is empty"],
    ["a text", new TextEncoder().encode("hello, this is no recording\n"), "is not a recording"],
  ])("%s", (_, file, why) => {
    expect(() => readRecording(file, deflate)).toThrow(why);
  });

  test("a configuration without its images", () => {
    expect(() => readRecording(written(), deflate)).toThrow(/ends before its configuration/);
    const kernel = { name: "k.elf", sha256: "00" };
    const file = written([
      "CONF",
      { machine: MACHINE_VERSION, ramBytes: 4096, kernel, modules: [] },
    ]);
    expect(() => readRecording(file, deflate)).toThrow(/ends before the image k\.elf/);
  });
});
