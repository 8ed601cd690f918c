// What the debugger remembers of a run comes out of a recording's snapshots as it was in the run itself.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import type { ExitLedgerBody } from "../../../debug-adapter/protocol.ts";
import {
  type Follower,
  readRecording,
  recordingOf,
  type Timeline,
} from "../../../emulator/index.ts";
import { buildAll } from "../../../scripts/build-minvisor.mjs";
import { everyOne } from "../../emulator/time/recorded-run.ts";
import { inRepository, SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";
import { randomBelow } from "../../harness/random.ts";

const seed = 60_221;
const folder = mkdtempSync(join(tmpdir(), "minvisor-memory-"));
const file = join(folder, "sample.mvrec");
const small = join(folder, "saved.mvrec");
let session: InProcessSession;
/** Of the run that was recorded, at its end. */
let seen: string;
let checks: number | undefined;
let exits: number;

const debuggee = () => session.session.loaded!.debuggee;
const timeline = (): Timeline => debuggee().timeline!;
const plain = (follower: Follower) =>
  follower.record === undefined ? follower.save() : follower.record(follower.save());

/** Accessed and Dirty, of eight-byte entries: as they were when a table was read, which nothing depends on. */
const STATUS_BITS = 0x60;

function legible(name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (!(value instanceof Uint8Array)) return value;
  const bytes =
    name === "words" ? value.map((byte, i) => byte & ~(i % 8 ? 0 : STATUS_BITS)) : value;
  return Buffer.from(bytes).toString("base64");
}

const remembered = () => {
  const states = timeline().followers.map((each) => [each.name, plain(each)]);
  return JSON.stringify(states, legible);
};

/** The machine alone, up to the end of the run. */
function runOn(random: (below: number) => number): void {
  for (;;) {
    const { reason } = timeline().run({ instructions: 1 + random(40_000), idleTicks: 400_000 });
    if (reason !== "budget" && reason !== "idle") return;
    if (random(3) === 0) timeline().keep();
  }
}

beforeAll(async () => {
  buildAll();
  session = new InProcessSession();
  await session.begin({ ...SAMPLE, stopOnEntry: true, serial: ["null"], invariants: true });
  const entry = session.next("stopped");
  await session.ask("configurationDone");
  await entry;
  runOn(randomBelow(seed));
  const { plan } = session.session.loaded!;
  const { ledger } = debuggee();
  writeFileSync(file, recordingOf(timeline(), plan.start, deflate, ledger, everyOne(1)));
  await session.ask("minvisor/saveRecording", { path: small });
  seen = remembered();
  const statuses = session.session.loaded!.invariants.status();
  checks = statuses.find(({ name }) => name === "vmcb_well_formed")?.checks;
  exits = debuggee().machine.state.exitCount;
  session.session.close();
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  session = new InProcessSession();
});
afterEach(() => session.session.close());

async function attach(attributes: object = {}, breakpoints: object[] = []): Promise<void> {
  await session.ask("initialize", { adapterID: "minvisor" });
  const initialized = session.next("initialized");
  const cwd = inRepository(".");
  await session.ask("attach", { recording: file, cwd, serial: ["null"], ...attributes });
  await initialized;
  await session.ask("setFunctionBreakpoints", { breakpoints });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
}

test(`from each snapshot on it is as it was (seed ${seed})`, async () => {
  await attach();
  expect(remembered()).toEqual(seen);
  const { snapshots } = readRecording(new Uint8Array(readFileSync(file)), deflate);
  expect(snapshots.length).toBeGreaterThan(3);
  for (const { state } of snapshots.filter((_, i) => i % 4 === 1)) {
    expect(timeline().snapshots.upTo(state).snapshot).toMatchObject({ icount: state.icount });
    for (const _ of timeline().seek(state));
    while (timeline().isInPast) timeline().run({ instructions: 1_000_000 });
    expect(remembered(), `from icount ${state.icount}`).toEqual(seen);
  }
});

test("a saved session has its exits, and opens at its end without a replay", async () => {
  await attach({ recording: small, at: "start" });
  const { total } = await session.ask<ExitLedgerBody>("minvisor/exitLedger");
  expect(total).toBe(exits);
  const { endOfTime, snapshots } = timeline();
  expect(snapshots.upTo(endOfTime).snapshot.icount).toBe(endOfTime.icount);
  for (const _ of timeline().seek(endOfTime));
  expect(remembered()).toEqual(seen);
});

test("guests and their images that came before a snapshot are known from it", async () => {
  const changed = session.next<{ breakpoint: { verified: boolean } }>("breakpoint");
  await attach({ recording: small, symbols: SAMPLE.symbols }, [{ name: "guest_main" }]);
  const nothing = new Promise((resolve) => setImmediate(resolve, "nothing"));
  expect(await Promise.race([changed, nothing])).toMatchObject({ breakpoint: { verified: true } });
});

test("where other invariants are asked for, the run is gone through for them", async () => {
  await attach({ invariants: ["vmcb_well_formed"] });
  const [status] = session.session.loaded!.invariants.status();
  expect(checks).toBeGreaterThan(5);
  expect(status).toMatchObject({ name: "vmcb_well_formed", verdict: "holds", checks });
  const icounts = timeline().snapshots.all.map(({ snapshot }) => snapshot.icount);
  const { snapshots } = readRecording(new Uint8Array(readFileSync(file)), deflate);
  expect(snapshots.filter(({ state }) => icounts.includes(state.icount)).length).toBeLessThan(3);
});

test("invariants that come later leave those of the snapshots what they had seen", async () => {
  await attach();
  const text = 'invariant mine on exit "Mine": true;';
  await session.ask("minvisor/setInvariants", { files: [{ path: "/mine.inv", text }] });
  const { snapshots } = readRecording(new Uint8Array(readFileSync(file)), deflate);
  const { state } = snapshots.at(-2)!;
  for (const _ of timeline().seek(state));
  const statuses = session.session.loaded!.invariants.status();
  expect(statuses.map(({ name }) => name)).toContain("mine");
  const wellFormed = statuses.find(({ name }) => name === "vmcb_well_formed");
  expect(wellFormed?.checks).toBeGreaterThan(5);
});

/** Types of a value, and the names of its members. */
function shapeOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) {
    const shapes = value.map((each) => JSON.stringify(shapeOf(each)));
    return [...new Set(shapes)].map((shape) => JSON.parse(shape) as unknown);
  }
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
}

test("a state that is made otherwise has another version: change both here", async () => {
  await attach({ recording: small });
  const states = timeline().followers.map((each) => [
    ...[each.name, each.version],
    shapeOf(plain(each)),
  ]);
  await expect(JSON.stringify(states, undefined, 1)).toMatchFileSnapshot(
    "recorded-memory.golden.txt",
  );
});
