// A process that records is killed at random moments: what it had flushed is there, and is the run that it was.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import type { TimelineBody } from "../../debug-adapter/protocol.ts";
import {
  machineOf,
  type Recording,
  RecordingError,
  readRecording,
  replayChecked,
  type Timeline,
  timelineOf,
} from "../../emulator/index.ts";
import { drain } from "../emulator/time/sample-run.ts";
import { AdapterClient, inRepository } from "../harness/dap-adapter.ts";
import { randomBelow } from "../harness/random.ts";
import { Command } from "./command.ts";

const seed = 8_086;
let command: Command;

beforeAll(() => {
  command = new Command();
  const wasm = "iced_x86_bg.wasm";
  command.file(wasm, new Uint8Array(readFileSync(inRepository(`node_modules/iced-x86/${wasm}`))));
});
afterAll(() => command.dispose());

/** The run of what was left, at its end; every check on the way held, and it says what is missing. */
function replayed(recording: Recording): Timeline {
  expect(recording.problem).toMatch(
    /^It (was not brought to its end|is cut short at byte \d+): what came after icount \d+ is missing\.$/,
  );
  const timeline = timelineOf(machineOf(recording), recording);
  const held = drain(replayChecked(timeline, recording, recording.end));
  expect(held).toBe(recording.checks.length);
  return timeline;
}

const read = (file: string) => readRecording(new Uint8Array(readFileSync(file)), deflate);

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  expect((await ended)[1]).toBe("SIGKILL");
}

const CHECK_INTERVAL = 1_000_000;
const TURNS = 0x10000;
/** Prints a line each TURNS turns of three instructions. */
const PRINTING = `
  mov $0x3f8, %dx
  mov $10, %al
1: inc %ebx
  test $${TURNS - 1}, %ebx
  jnz 1b
  out %al, %dx
  jmp 1b`;

/** How a process that records was killed: what it had shown, and the file that it left. */
interface Killed {
  readonly file: string;
  readonly lines: number;
}

/** Kills one at a moment that `random` chooses: while it begins, or after so many lines. */
async function killRecorder(name: string, random: (below: number) => number): Promise<Killed> {
  const file = command.path(name);
  const options = ["--memory", "4M", "-o", file, "--check-interval", `${CHECK_INTERVAL}`];
  const [enough, delay] = [random(12) - 3, random(4)];
  const child = command.start("record", "--kernel", command.path("printing.elf"), ...options);
  let lines = 0;
  child.stdout?.on("data", (bytes: Buffer) => {
    lines += bytes.length;
  });
  while (!existsSync(file) || statSync(file).size === 0) await sleep(2);
  while (lines < enough) await sleep(2);
  await sleep(delay);
  const shown = lines;
  await kill(child);
  return { file, lines: shown };
}

/** Whether anything of the run is left: all that was shown then, but for what came since the last mark. */
function isLeft({ file, lines }: Killed): boolean {
  try {
    const recording = read(file);
    expect(recording.end.icount).toBeGreaterThan(3 * TURNS * lines - 2 * CHECK_INTERVAL);
    expect(recording.checks.length).toBeGreaterThan(recording.end.icount / CHECK_INTERVAL - 1);
    replayed(recording);
    return true;
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).toMatch(/header|before (its configuration|the image)/);
    expect(lines).toBe(0);
    return false;
  }
}

/** `of` of all the `count` things at a time, in the order of their numbers. */
async function overlapping(count: number, of: number, one: (i: number) => Promise<void>) {
  let next = 0;
  const some = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: of }, some));
}

test(`minvisor record, killed 40 times (seed ${seed})`, async () => {
  const random = randomBelow(seed);
  command.guest("printing.elf", PRINTING);
  const killed: Killed[] = [];
  await overlapping(40, 4, async (i) => {
    killed.push(await killRecorder(`killed-${i}.mvrec`, random));
  });
  expect(killed.filter(isLeft).length).toBeGreaterThan(20);
}, 240_000);

/** What ECX is set to by the user gets into EDX with every turn: EDX tells all changes and when they were. */
const SUMMING = `
  mov $20000, %eax
1: add %ecx, %edx
  rol $1, %edx
  dec %eax
  jnz 1b
  jmp start`;

/** What its user has been told of a session's run, as it is now. */
interface Told {
  stops: { readonly icount: number; readonly edx: bigint }[];
  /** A change in the past is under way: what comes after this icount may be gone. */
  forkedAt: number;
  forks: number;
  /** What went wrong before the adapter was killed. */
  failure: unknown;
}

/** Runs, steps, changes ECX, goes back and forks, at random and for ever. */
async function use(client: AdapterClient, random: (below: number) => number, told: Told) {
  const thread = { threadId: 1 };
  const stop = async (command: string, args: object = {}) => {
    await client.send(command, { ...thread, ...args });
    await client.nextStop();
  };
  const timeline = async () => (await client.send("minvisor/timeline", {})).body as TimelineBody;
  const change = () =>
    client.send("evaluate", { expression: `$ecx = ${random(1e9)}`, context: "repl" });
  for (;;) {
    const way = random(6);
    if (way === 0) {
      await stop("continue");
    } else if (way === 1) {
      const { isInPast, endIcount } = await timeline();
      if (endIcount === 0) continue;
      if (!isInPast) await stop("minvisor/seek", { icount: random(endIcount) });
      told.forkedAt = (await timeline()).icount;
      await client.send("minvisor/allowFork", {});
      await change();
      told.forks++;
      const { forkedAt } = told;
      told.stops = told.stops.filter(({ icount }) => icount <= forkedAt);
      told.forkedAt = Number.POSITIVE_INFINITY;
    } else if (way === 2) {
      if (!(await timeline()).isInPast) await change();
    } else await stop("stepIn", { granularity: "instruction" });
    const edx = BigInt(await client.value("(unsigned long)$edx"));
    told.stops.push({ icount: (await timeline()).icount, edx });
  }
}

/** Its adapter may be killed. */
class QuietClient extends AdapterClient {
  constructor() {
    super("");
  }

  override connect(readable: Readable, writable: Writable): void {
    for (const stream of [readable, writable]) stream.on("error", () => {});
    super.connect(readable, writable);
  }
}

/** A session of the adapter at `port` that records a run into `file`; it is used until the adapter ends. */
async function begin(port: number, file: string, random: (below: number) => number): Promise<Told> {
  const client = new QuietClient();
  await client.start(port);
  const kernel = command.path("summing.elf");
  await client.begin({ kernel, memory: "4M", stopOnEntry: true, recordingFile: file });
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "start" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const forkedAt = Number.POSITIVE_INFINITY;
  const told: Told = { stops: [], forkedAt, forks: 0, failure: undefined };
  use(client, random, told).catch((caught) => {
    told.failure = caught;
  });
  return told;
}

/** The file has all that the user was told of, as it was. */
function expectAll(file: string, { stops, forkedAt, failure }: Told): void {
  expect(failure).toBeUndefined();
  const recording = read(file);
  const known = stops.filter(({ icount }) => icount <= forkedAt);
  const furthest = Math.max(0, ...known.map(({ icount }) => icount));
  expect(recording.end.icount).toBeGreaterThanOrEqual(furthest);
  const timeline = replayed(recording);
  for (const { icount, edx } of known.slice(-5)) {
    drain(timeline.seekIcount(icount));
    expect(timeline.machine.state.rdx, `EDX at ${icount}`).toBe(edx);
  }
}

test(`two debug sessions of each of ten adapters, which are killed (seed ${seed})`, async () => {
  const random = randomBelow(seed + 1);
  const moments = randomBelow(seed + 2);
  command.guest("summing.elf", SUMMING);
  const killed: { readonly file: string; readonly told: Told }[] = [];
  await overlapping(10, 2, async (i) => {
    const child = command.start("dap", "--port", "0");
    const [listening] = (await once(child.stderr!, "data")) as [Buffer];
    expect(`${listening}`).toMatch(/^minvisor: listening on 127\.0\.0\.1:\d+\n$/);
    const port = Number(`${listening}`.split(":").at(-1));
    const files = [0, 1].map((k) => command.path(`session-${i}-${k}.mvrec`));
    const all = await Promise.all(files.map((file) => begin(port, file, random)));
    const enough = 4 + moments(20);
    const isUnderWay = ({ stops, failure }: Told) => !failure && stops.length < enough;
    while (all.every(isUnderWay)) await sleep(5);
    await sleep(moments(10));
    const told = structuredClone(all);
    await kill(child);
    for (const [k, file] of files.entries()) killed.push({ file, told: told[k] as Told });
  });
  for (const { file, told } of killed) expectAll(file, told);
  const sum = (of: (told: Told) => number) => killed.reduce((sum, { told }) => sum + of(told), 0);
  expect(sum(({ stops }) => stops.length)).toBeGreaterThan(50);
  expect(sum(({ forks }) => forks)).toBeGreaterThan(3);
}, 240_000);
