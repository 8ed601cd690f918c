// A recording that is attached to: its run is the session's past, from its end backwards and forwards.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import type { ExitLedgerBody, TimelineBody } from "../../../debug-adapter/protocol.ts";
import { type Recording, readRecording } from "../../../emulator/index.ts";
import { type RecordedRun, recordSample } from "../../emulator/time/recorded-run.ts";
import { inRepository } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-attach-"));
const file = join(folder, "sample.mvrec");
let run: RecordedRun;
let recording: Recording;
let session: InProcessSession;

beforeAll(() => {
  run = recordSample(7);
  recording = readRecording(run.file, deflate);
  writeFileSync(file, run.file);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  session = new InProcessSession();
});
afterEach(() => session.session.close());

interface Stop {
  readonly reason: string;
  readonly description: string;
}

const machine = () => session.session.loaded!.debuggee.machine;
const timeline = () => session.ask<TimelineBody>("minvisor/timeline");

async function go(command: string, args: object = {}): Promise<Stop> {
  const stopped = session.next<Stop>("stopped");
  await session.ask(command, { threadId: 1, ...args });
  return stopped;
}

async function attach(attributes: object = {}): Promise<Stop> {
  await session.ask("initialize", { adapterID: "minvisor" });
  const initialized = session.next("initialized");
  const cwd = inRepository(".");
  await session.ask("attach", { recording: file, cwd, serial: ["null"], ...attributes });
  await initialized;
  return go("configurationDone");
}

test("stands at the end of the recorded run, which is all there", async () => {
  expect(await attach()).toMatchObject({ description: "Paused at the end of the recording" });
  expect(machine().instant).toEqual(recording.end);
  expect(machine().stateHash()).toBe(recording.checks.at(-1)?.hash);
  const { isInPast, exits } = await timeline();
  expect({ isInPast, exits }).toEqual({ isInPast: false, exits: run.ledger.length });
});

test("at its start every exit is known, and any can be gone to", async () => {
  expect(await attach({ at: "start" })).toMatchObject({ reason: "entry" });
  expect(machine().icount).toBe(0);
  const { total } = await session.ask<ExitLedgerBody>("minvisor/exitLedger");
  expect(total).toBe(run.ledger.length);
  await go("minvisor/seek", { exit: total });
  expect((await timeline()).exit).toBe(total);
});

test("steps and breakpoints work backwards from its end", async () => {
  await attach();
  await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "exit_cpuid" }] });
  expect(await go("reverseContinue")).toMatchObject({ reason: "breakpoint" });
  const { stackFrames } = await session.ask<{ stackFrames: { name: string; line: number }[] }>(
    "stackTrace",
    { threadId: 1 },
  );
  expect(stackFrames[0]).toMatchObject({ name: "host · exit_cpuid" });
  expect(stackFrames[0]?.line).toBeGreaterThan(0);
  const { icount } = machine();
  await go("stepBack", { granularity: "instruction" });
  expect(machine().icount).toBe(icount - 1);
  await go("next", { granularity: "instruction" });
  expect(machine().icount).toBe(icount);
});

test("an allowed change starts another future, which can be saved; restart has the recorded one again", async () => {
  await attach();
  await go("minvisor/seek", { exit: 5 });
  const change = { expression: "$rbx = 1", context: "repl" };
  await expect(session.ask("evaluate", change)).rejects.toThrow("This is the past");
  await session.ask("minvisor/allowFork");
  await session.ask("evaluate", change);
  expect((await timeline()).isInPast).toBe(false);
  const forked = { recording: join(folder, "forked.mvrec"), hash: machine().stateHash() };
  await session.ask("minvisor/saveRecording", { path: forked.recording });
  await go("minvisor/seek", { future: 1 });
  expect(machine().stateHash()).toBe(recording.checks.at(-1)?.hash);
  await go("minvisor/seek", { future: 2 });
  expect(machine().stateHash()).toBe(forked.hash);
  await go("restart");
  expect(machine().stateHash()).toBe(recording.checks.at(-1)?.hash);
  session.session.close();
  session = new InProcessSession();
  await attach({ recording: forked.recording });
  expect(machine().stateHash()).toBe(forked.hash);
});

test("opens up to where it is damaged, and says what is missing", async () => {
  const damaged = join(folder, "damaged.mvrec");
  const rest = run.file.subarray(0, run.file.length - 300);
  writeFileSync(damaged, rest);
  const said = session.next<{ category: string; output: string }>("output");
  await attach({ recording: damaged });
  expect(await said).toEqual({
    category: "important",
    output: expect.stringMatching(
      /damaged\.mvrec: It is cut short at byte \d+: what came after icount \d+ is missing\.\n$/,
    ),
  });
  expect(machine().instant).toEqual(readRecording(rest, deflate).end);
});

const attached = (attributes: object) => session.ask("attach", attributes);

test("what cannot be opened is refused", async () => {
  const other = join(folder, "other.mvrec");
  writeFileSync(other, "this is no recording");
  await expect(attached({ recording: other })).rejects.toThrow(
    "other.mvrec is not a recording: its first bytes are others.",
  );
  writeFileSync(other, "");
  await expect(attached({ recording: other })).rejects.toThrow(
    "other.mvrec is empty: nothing was recorded into it.",
  );
  writeFileSync(other, new Uint8Array(readFileSync(file)).subarray(0, 5));
  await expect(attached({ recording: other })).rejects.toThrow(
    "other.mvrec is cut short within its header.",
  );
  await expect(attached({ recording: join(folder, "none.mvrec") })).rejects.toThrow(
    "none.mvrec cannot be read: it does not exist.",
  );
  await expect(attached({ recording: 5 })).rejects.toThrow('"recording" must be the path');
  await expect(attached({ recording: file, at: "middle" })).rejects.toThrow('"at" must be "start"');
  await expect(attached({ recording: file, machine: "1" })).rejects.toThrow("not both");
  await expect(attached({ recording: file, stepPolicy: "none" })).rejects.toThrow("stepPolicy");
});
