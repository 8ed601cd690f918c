// A session with the attribute `recordingFile`: at every stop its file holds the run up to there.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { deflate } from "../../../debug-adapter/node/deflate.ts";
import { nodeFiles } from "../../../debug-adapter/node/node-files.ts";
import {
  type Instant,
  machineOf,
  readRecording,
  replayChecked,
  timelineOf,
} from "../../../emulator/index.ts";
import { drain } from "../../emulator/time/sample-run.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-recording-file-"));
const recordingFile = join(folder, "run.mvrec");
let session: InProcessSession;

afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  session = new InProcessSession();
});
afterEach(() => session.session.close());

const machine = () => session.session.loaded!.debuggee.machine;
const recorded = (file = recordingFile) =>
  readRecording(new Uint8Array(readFileSync(file)), deflate);

async function go(command: string, args: object = {}): Promise<void> {
  const stopped = session.next("stopped");
  await session.ask(command, { threadId: 1, ...args });
  await stopped;
}

async function begin(attributes: object = {}): Promise<void> {
  await session.begin({ ...SAMPLE, recordingFile, stopOnEntry: true, ...attributes });
  await go("configurationDone");
}

/** The recorded run's end, come to in another machine. */
function replayed(): { readonly at: Instant; readonly hash: string } {
  const recording = recorded();
  const timeline = timelineOf(machineOf(recording), recording);
  drain(replayChecked(timeline, recording, recording.end));
  return { at: timeline.machine.instant, hash: timeline.machine.stateHash() };
}

const present = () => ({ at: machine().instant, hash: machine().stateHash() });

test("has the run up to every stop, with what was changed, also after the past was changed", async () => {
  await begin();
  expect(recorded().end).toEqual(machine().instant);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:CPUID"] });
  await go("continue");
  await session.ask("evaluate", { expression: "$r14 = 5", context: "repl" });
  expect(recorded().inputs).toHaveLength(1);
  await go("continue");
  const old = present();
  expect(replayed()).toEqual(old);
  expect(recorded().ledger?.length).toBe(session.session.loaded!.debuggee.ledger!.finished);
  await go("minvisor/seek", { to: "previousExit" });
  await go("stepBack", { granularity: "instruction" });
  expect(recorded().end).toEqual(old.at);
  await session.ask("minvisor/allowFork");
  await session.ask("evaluate", { expression: "$r15 = 7", context: "repl" });
  expect(recorded().end).toEqual(machine().instant);
  // Whoever is killed now has the future that was left, too.
  expect(recorded().futures?.left.map(({ future }) => future.end)).toEqual([old.at]);
  await go("continue");
  expect(replayed()).toEqual(present());
  expect(present()).not.toEqual(old);
  expect(recorded().problem).toMatch(/not brought to its end: .* is missing\.$/);
  const end = present();
  await go("minvisor/seek", { icount: 1000 });
  await session.ask("disconnect");
  expect(recorded().problem).toBeUndefined();
  expect(replayed()).toEqual(end);
}, 240_000);

test("is begun anew at a restart, and the one before is kept beside it", async () => {
  rmSync(recordingFile, { force: true });
  await begin();
  const said = session.next<{ category: string; output: string }>("output");
  await go("stepIn", { granularity: "instruction" });
  expect(recorded().end.icount).toBe(1);
  await go("restart");
  expect(recorded()).toMatchObject({ end: { icount: 0 }, problem: expect.any(String) });
  const former = join(folder, "run.previous.mvrec");
  const output = `The recording before this one is kept as ${former}.\n`;
  expect(await said).toEqual({ category: "console", output });
  expect(recorded(former)).toMatchObject({ end: { icount: 1 }, problem: undefined });
  await session.ask("disconnect");
  expect(recorded().problem).toBeUndefined();
});

test("a name without an ending has its former beside it too; a device has none", async () => {
  const file = join(folder, "v1.2/run");
  mkdirSync(join(folder, "v1.2"));
  writeFileSync(file, "former");
  await begin({ recordingFile: file });
  expect(readFileSync(`${file}.previous`, "utf8")).toBe("former");
  expect(await nodeFiles.rename("/dev/full", join(folder, "full"))).toBe(false);
});

test("a file that cannot be written on costs the recording, not the session", async () => {
  const said = session.next<{ category: string; output: string }>("output");
  await begin({ recordingFile: "/dev/full" });
  expect(await said).toMatchObject({
    category: "important",
    output: expect.stringMatching(
      /without its recording, .*: \/dev\/full cannot be written: no space is left on its file system\.$/m,
    ),
  });
  await go("stepIn", { granularity: "instruction" });
  expect(machine().icount).toBe(1);
});

test("of sessions with one file none is lost while it is recorded", async () => {
  const shared = { recordingFile: join(folder, "shared.mvrec") };
  const [second, third] = [new InProcessSession(), new InProcessSession()];
  await begin(shared);
  await second.begin({ ...SAMPLE, ...shared });
  const former = join(folder, "shared.previous.mvrec");
  await expect(third.begin({ ...SAMPLE, ...shared })).rejects.toThrow(
    `${former}, which would be lost, is still recorded into by another session.`,
  );
  await go("stepIn", { granularity: "instruction" });
  session.session.close();
  expect(recorded(former)).toMatchObject({ problem: undefined, end: { icount: 1 } });
  await third.begin({ ...SAMPLE, ...shared });
  for (const each of [second, third]) each.session.close();
});

test("the run is not saved over the file that it is still recorded into", async () => {
  await begin();
  const save = { path: recordingFile };
  await expect(session.ask("minvisor/saveRecording", save)).rejects.toThrow(
    "run.mvrec is what this session records into: give another name.",
  );
  await go("stepIn", { granularity: "instruction" });
  session.session.close();
  expect(recorded().problem).toBeUndefined();
});

test("what cannot be recorded is refused", async () => {
  const launch = (attributes: object) => session.ask("launch", { ...SAMPLE, ...attributes });
  await expect(launch({ recordingFile: join(folder, "no/run.mvrec") })).rejects.toThrow(
    "no/run.mvrec cannot be written: its folder does not exist.",
  );
  await expect(launch({ recordingFile, recording: false })).rejects.toThrow(
    'Launch attribute "recordingFile" needs "recording": it is false.',
  );
  await expect(launch({ recordingFile: 5 })).rejects.toThrow('"recordingFile" must be a path');
});
