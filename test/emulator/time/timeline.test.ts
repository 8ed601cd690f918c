// Going back: every instant of a run is had again with the same state, whatever way it is come to.

import { describe, expect, test } from "vitest";
import type { Observer } from "../../../emulator/index.ts";
import { compareInstants, type Instant, RESET } from "../../../emulator/time/instant.ts";
import { Timeline, type TimelineOptions } from "../../../emulator/time/timeline.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";
import { drain, sampleMachine } from "./sample-run.ts";

function sample(options: TimelineOptions = {}): Timeline {
  return new Timeline(sampleMachine(), { interval: 40_000, denseInterval: 15_000, ...options });
}

interface Seen {
  readonly at: Instant;
  readonly hash: string;
}

/** Runs to the end in random pieces, with stops at exits and exceptions, and inputs now and then. */
function explore(timeline: Timeline, random: (below: number) => number): Seen[] {
  const { machine } = timeline;
  const seen: Seen[] = [];
  let wanted = false;
  const stop = () => (wanted ? ("stop" as const) : undefined);
  const detach = machine.observe({
    name: "explorer",
    on: { exit: stop, exception: stop, vmrun: stop },
  });
  for (;;) {
    wanted = random(3) === 0;
    const instructions = wanted ? 100_000 : random(4) === 0 ? random(40) : random(5000);
    const result = timeline.run({ instructions, idleTicks: random(3) * 500_000 });
    if (random(20) === 0) {
      machine.enter({ kind: "serial", port: 0, bytes: Uint8Array.of(0x41 + random(26)) });
    }
    if (random(20) === 0) {
      const address = 0x300_0000 + random(4096);
      machine.enter({ kind: "memory", address, bytes: Uint8Array.of(random(256)) });
    }
    if (random(30) === 0) {
      machine.edit((state) => {
        state.dr0 = BigInt(random(1 << 20));
      });
    }
    const known = seen.at(-1);
    const at = machine.instant;
    if (known === undefined || compareInstants(known.at, at) !== 0) {
      seen.push({ at, hash: machine.stateHash() });
    } else seen[seen.length - 1] = { at, hash: machine.stateHash() };
    if (!["budget", "idle", "observer"].includes(result.reason)) break;
  }
  detach();
  return seen;
}

const seed = testSeed();

describe(`seed ${seed}`, () => {
  test("every instant that was seen is had again", () => {
    const random = randomBelow(seed);
    const timeline = sample();
    const seen = explore(timeline, random);
    expect(seen.length).toBeGreaterThan(50);
    expect(timeline.inputs.all.length).toBeGreaterThan(2);
    for (let i = 0; i < 80; i++) {
      const { at, hash } = seen[random(seen.length)] as Seen;
      drain(timeline.seek(at));
      expect(timeline.machine.instant).toEqual(at);
      expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
    }
  });

  test("a budget that is too small loses snapshots and nothing else", () => {
    const random = randomBelow(seed + 1);
    const timeline = sample({ budgetBytes: 3_000_000, interval: 10_000, denseInterval: 5_000 });
    const seen = explore(timeline, random);
    for (let i = 0; i < 30; i++) {
      const { at, hash } = seen[random(seen.length)] as Seen;
      drain(timeline.seek(at));
      expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
      expect(timeline.snapshots.bytes).toBeLessThan(3_000_000 + 2_000_000);
    }
  });

  test("into a gap a seek lays snapshots so that one back from there replays no more than it goes back", () => {
    const random = randomBelow(seed + 3);
    const timeline = sample({ interval: 1_000_000 });
    const { icount: end } = (explore(timeline, random).at(-1) as Seen).at;
    const icount = 10_000 + random(end - 10_000);
    drain(timeline.seekIcount(icount));
    for (const back of [100, 700, 3000, 9000]) {
      const to = { ...timeline.machine.instant, icount: icount - back };
      const replayed = to.icount - timeline.snapshots.upTo(to).snapshot.icount;
      expect(replayed, `${back} back from ${icount}`).toBeLessThanOrEqual(back + 100);
    }
  });

  test("the past runs on into the same future, inputs included", () => {
    const random = randomBelow(seed + 2);
    const timeline = sample();
    const seen = explore(timeline, random);
    const { at, hash } = seen.at(-1) as Seen;
    drain(timeline.seek((seen[random(seen.length - 1)] as Seen).at));
    expect(timeline.isInPast).toBe(true);
    while (compareInstants(timeline.machine.instant, at) < 0) {
      timeline.run({ instructions: 1 + random(20_000), idleTicks: 1e9 });
    }
    expect(timeline.machine.instant).toEqual(at);
    expect(timeline.machine.stateHash()).toBe(hash);
    expect(timeline.isInPast).toBe(false);
  });
});

test("what entered at the end enters again where a run comes there", () => {
  const timeline = sample();
  const { machine } = timeline;
  timeline.run({ instructions: 10_000 });
  timeline.enter({ kind: "memory", address: 0x300_0000, bytes: Uint8Array.of(1) });
  const hash = machine.stateHash();
  drain(timeline.seekIcount(5000));
  timeline.run({ instructions: 5000 });
  expect(timeline.isInPast).toBe(false);
  expect(machine.stateHash()).toBe(hash);
});

test("the last exit before an instant, again and again, is every exit backwards", () => {
  const timeline = sample();
  const { machine } = timeline;
  const forwards: Instant[] = [];
  let met = false;
  const stop = machine.observe({
    name: "exits",
    on: {
      exit: () => {
        met = true;
        return "stop";
      },
    },
  });
  for (;;) {
    const { reason } = timeline.run({ instructions: 1_000_000, idleTicks: 1e9 });
    if (met) forwards.push(machine.instant);
    met = false;
    if (reason !== "observer" && reason !== "budget" && reason !== "idle") break;
  }
  expect(forwards.length).toBeGreaterThan(100);
  const backwards: Instant[] = [];
  let before = machine.instant;
  const take = () => {
    const now = met;
    met = false;
    return now ? true : undefined;
  };
  while (backwards.length < 40) {
    const found = drain(timeline.last(before, take));
    if (found === undefined) break;
    backwards.push(found.at);
    before = found.at;
  }
  expect(backwards).toEqual(forwards.reverse().slice(0, 40));
  stop();
  drain(timeline.seek(RESET));
  expect(machine.icount).toBe(0);
});

test("something new in the past makes another future", () => {
  const timeline = sample();
  const { machine } = timeline;
  timeline.run({ instructions: 100_000 });
  const past = machine.instant;
  timeline.run({ instructions: 100_000 });
  const old = machine.stateHash();
  drain(timeline.seek(past));
  machine.enter({ kind: "memory", address: 0x300_0000, bytes: Uint8Array.of(1) });
  expect(timeline.isInPast).toBe(false);
  timeline.run({ instructions: 100_000 });
  expect(machine.stateHash()).not.toBe(old);
});

test("an instant that the run does not come by is refused", () => {
  const timeline = sample();
  timeline.run({ instructions: 50_000 });
  expect(() => drain(timeline.seek({ icount: 60_000, idleTicks: 0, events: 0 }))).toThrow("future");
  expect(() => drain(timeline.seek({ icount: 20_000, idleTicks: 0, events: 9999 }))).toThrow(
    "does not come by",
  );
});

test("others get their turn often where an observer follows each instruction or stops the machine", () => {
  const timeline = sample();
  const { machine } = timeline;
  for (let reason = ""; reason !== "powerOff"; ) {
    ({ reason } = timeline.run({ instructions: 1_000_000, idleTicks: 1e9 }));
  }
  const turns = (on: Observer["on"]): number => {
    const detach = machine.observe({ name: "test", on });
    const search = timeline.last(machine.instant, () => undefined);
    let count = 0;
    while (!search.next().done) count++;
    detach();
    return count;
  };
  const plain = turns({});
  expect(plain).toBeLessThan(5);
  expect(turns({ retire: () => undefined })).toBeGreaterThan(30);
  expect(turns({ exit: () => "stop" })).toBeGreaterThan(plain);
});
