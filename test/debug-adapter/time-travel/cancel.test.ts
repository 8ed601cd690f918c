// Questions to the past that the client cancels end at once, leave nothing behind, and the machine where it was.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { HistoryBody, TimelineBody, WhyBody } from "../../../debug-adapter/protocol.ts";
import { buildImage, ENABLE_SVM, multibootSource } from "../../emulator/loader/build-image.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

/** Writes one word; counts for millions of instructions and runs a VMCB of zeros, which is refused; once more. */
const LONG = `
  movl $1, 0x201000
  ${ENABLE_SVM}
run:
  mov $2000000, %ecx
again:
  dec %ecx
  jnz again
  mov $0x300000, %eax
  .byte 0x0f, 0x01, 0xd8
  jmp run`;

let folder: string;
let session: InProcessSession;
/** Milliseconds by which each look at the clock is late. */
let late: number;
/** Observers that are attached, beside those of the session's own. */
let attached: number;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cancel-"));
  writeFileSync(join(folder, "long.elf"), buildImage(multibootSource(3, "", LONG)));
});
afterAll(() => rmSync(folder, { recursive: true }));

const machine = () => session.session.loaded!.debuggee.machine;

/** Asks for something that ends in a stop. */
async function go(command: string, args: object = {}): Promise<void> {
  const stopped = session.next("stopped");
  await session.ask(command, { threadId: 1, ...args });
  await stopped;
}

beforeEach(() => begin({ invariants: false }));

/** A session that stands at the second exit. */
async function begin(more: object): Promise<void> {
  // So that every piece of work lets messages in.
  late = 30;
  let now = 0;
  session = new InProcessSession({ now: () => (now += late) });
  const attributes = { kernel: join(folder, "long.elf"), memory: "8M", ...more };
  await session.begin(attributes, { supportsProgressReporting: true });
  await session.ask("setExceptionBreakpoints", { filters: ["exit:INVALID"] });
  await go("configurationDone");
  await go("continue");
  const { observers } = machine();
  const attach = observers.attach.bind(observers);
  attached = 0;
  observers.attach = (observer) => {
    attached++;
    const detach = attach(observer);
    return () => {
      attached--;
      detach();
    };
  };
}
afterEach(() => session.session.close());

async function cancelled(command: string, args: object): Promise<void> {
  const before = machine().stateHash();
  const started = session.next<{ progressId: string; title: string }>("progressStart");
  const ended = session.next<{ progressId: string }>("progressEnd");
  const answer = session.ask(command, args);
  const { progressId } = await started;
  await Promise.all([
    expect(answer).rejects.toThrow("cancelled"),
    session.ask("cancel", { progressId }),
  ]);
  expect((await ended).progressId).toBe(progressId);
  expect(machine().stateHash()).toBe(before);
  expect(attached).toBe(0);
}

test("the history of a value", async () => {
  await cancelled("minvisor/history", { name: "hpa:0x201000", bytes: 4 });
  const { writes } = await session.ask<HistoryBody>("minvisor/history", { name: "hpa:0x201000" });
  expect(writes.map(({ old, new: now }) => `${old} -> ${now}`)).toEqual(["0x0 -> 0x1"]);
  expect(attached).toBe(0);
});

test("why an exit happened", async () => {
  await cancelled("minvisor/why", { exit: 1 });
  const why = await session.ask<WhyBody>("minvisor/why", { exit: 1 });
  expect(why.reason).toBe("INVALID");
});

test("a check of the whole run", async () => {
  await cancelled("minvisor/checkRun", {});
  await expect(session.ask("minvisor/checkRun")).resolves.toEqual({ problems: [], invariants: [] });
});

/** Another future, from the start, that comes to the same exit. */
async function fork(): Promise<void> {
  await go("minvisor/seek", { to: "start" });
  await session.ask("minvisor/allowFork");
  await session.ask("evaluate", { expression: "$rdi = 1", context: "repl" });
  for (let exits = 0; exits < 2; exits++) await go("continue");
}

test("a comparison of two futures", async () => {
  await fork();
  await cancelled("minvisor/compareFutures", { a: 1, b: 2 });
  expect(await session.ask<TimelineBody>("minvisor/timeline")).toMatchObject({
    ...{ future: 2, futures: 2, isInPast: false },
  });
  await expect(session.ask("minvisor/compareFutures", { a: 1, b: 2 })).resolves.toMatchObject({
    registers: [{ name: "rdi", a: "0x0", b: "0x1" }],
    memory: { pages: 0 },
  });
});

interface ProgressBody {
  readonly progressId: string;
  readonly title: string;
}

/** A way that takes long is told, and cancelled it leads back; not cancelled to where `arrived` says. */
async function calledBack(args: object, title: string, arrived: string): Promise<void> {
  late = 600;
  const before = machine().stateHash();
  for (const isCancelled of [true, false]) {
    const started = session.next<ProgressBody>("progressStart");
    const ended = session.next<ProgressBody>("progressEnd");
    const stopped = session.next<{ description: string }>("stopped");
    await session.ask("minvisor/seek", args);
    const { progressId, title: said } = await started;
    expect(said).toBe(title);
    if (isCancelled) await session.ask("cancel", { progressId });
    expect((await ended).progressId).toBe(progressId);
    expect((await stopped).description).toBe(isCancelled ? "Paused" : arrived);
    expect(machine().stateHash() === before).toBe(isCancelled);
    expect(attached).toBe(0);
  }
}

test("a way to where a condition holds", async () => {
  const condition = { condition: "$edi == 0", at: "exit", occurrence: "first" };
  const name = "the condition $edi == 0";
  await calledBack(condition, `Looking for ${name}`, `Paused on ${name}`);
});

test("the way to a culprit tells how far its own machine has come, not where the session's stands", async () => {
  session.session.close();
  const file = join(folder, "asid.inv");
  const text =
    'invariant has_an_asid on exit "Or it is the first" : exit.number < 2 || vmcb.GUEST_ASID != 0;';
  writeFileSync(file, text);
  await begin({ invariants: ["has_an_asid"], invariantFiles: [file] });
  const said: string[] = [];
  session.onEvent = (event, body) => {
    if (event === "progressUpdate") said.push((body as { message: string }).message);
  };
  late = 600;
  await go("minvisor/seek", { culprit: "has_an_asid" });
  expect(new Set(said).size).toBeGreaterThan(2);
});

test("a short way is no news", async () => {
  late = 1;
  const seen: string[] = [];
  session.onEvent = (event) => seen.push(event);
  await go("minvisor/seek", { to: "previousExit" });
  expect(seen).toContain("stopped");
  expect(seen.filter((event) => event.startsWith("progress"))).toEqual([]);
});

test("the way into another future, by a pause", async () => {
  await fork();
  const { timeline } = session.session.loaded!.debuggee;
  const before = machine().stateHash();
  const stopped = session.next("stopped");
  await session.ask("minvisor/seek", { future: 1 });
  while (timeline?.future !== 1) await new Promise((resolve) => setImmediate(resolve));
  expect(machine().stateHash()).not.toBe(before);
  await session.ask("pause", { threadId: 1 });
  await stopped;
  expect(timeline.future).toBe(2);
  expect(machine().stateHash()).toBe(before);
});
