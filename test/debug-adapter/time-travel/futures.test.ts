// Changes of the past over DAP: the old future is kept, can be gone to, and compared with the new one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type {
  CompareFuturesBody,
  ExitLedgerBody,
  FutureBody,
  TimelineBody,
} from "../../../debug-adapter/protocol.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

let session: InProcessSession;
async function begin(attributes: object): Promise<void> {
  session = new InProcessSession();
  await session.begin({ ...SAMPLE, ...attributes });
  await session.ask("setExceptionBreakpoints", { filters: ["exit:CPUID", "invariant"] });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
}

beforeEach(() => begin({}));
afterEach(() => session.session.close());

const hash = () => session.session.loaded!.debuggee.machine.stateHash();
const timeline = () => session.ask<TimelineBody>("minvisor/timeline");
const futures = async () =>
  (await session.ask<{ futures: FutureBody[] }>("minvisor/futures")).futures;
const compare = (a: number, b: number) =>
  session.ask<CompareFuturesBody>("minvisor/compareFutures", { a, b });
const exits = async () =>
  (await session.ask<ExitLedgerBody>("minvisor/exitLedger", { count: 10_000 })).rows;

/** Asks for something that ends in a stop. */
async function go(command: string, args: object = {}): Promise<{ description: string }> {
  const stopped = session.next<{ description: string }>("stopped");
  await session.ask(command, { threadId: 1, ...args });
  return stopped;
}

async function change(expression: string): Promise<void> {
  await session.ask("minvisor/allowFork");
  await session.ask("evaluate", { expression, context: "repl" });
}

test("the old future is listed, gone to and left again, each with its exits and its end", async () => {
  expect(await futures()).toEqual([
    { number: 1, isCurrent: true, endIcount: (await timeline()).icount, exits: 37 },
  ]);
  const old = { hash: hash(), exits: await exits() };
  const { icount } = await timeline();
  await go("minvisor/seek", { exit: 3 });
  const fork = await timeline();
  await change("$rbx = 0x77");
  await go("continue");
  const young = { hash: hash(), exits: await exits() };
  expect(await timeline()).toMatchObject({ future: 2, futures: 2, isInPast: false });
  const [first, second] = await futures();
  expect(first).toEqual({ number: 1, isCurrent: false, endIcount: icount, exits: 37 });
  expect(second).toMatchObject({
    isCurrent: true,
    fork: { from: 1, icount: fork.icount, exit: 3, change: "rbx set" },
    exits: young.exits.length,
  });
  expect(await go("minvisor/seek", { future: 1 })).toMatchObject({
    description: "Paused at the end of future 1",
  });
  expect(hash()).toBe(old.hash);
  expect(await exits()).toEqual(old.exits);
  expect(await timeline()).toMatchObject({ future: 1, futures: 2, isInPast: false });
  await go("minvisor/seek", { future: 2, icount: fork.icount });
  expect(await timeline()).toMatchObject({ future: 2, icount: fork.icount, isInPast: true });
  await go("minvisor/seek", { future: 1, exit: 37 });
  expect(await timeline()).toMatchObject({ future: 1, exit: 37 });
  await go("minvisor/seek", { future: 2, exit: 4 });
  expect(await timeline()).toMatchObject({ future: 2, exit: 4, isInPast: true });
  await go("minvisor/seek", { to: "end" });
  expect(hash()).toBe(young.hash);
  expect(await exits()).toEqual(young.exits);
  await expect(session.ask("minvisor/seek", { future: 7 })).rejects.toThrow(
    "There is no future 7: the recording has 1, 2.",
  );
});

/** Changes what the guest prints after exit 20, and runs on to the exit to CPUID. */
async function print(bytes: string): Promise<void> {
  await go("minvisor/seek", { exit: 20 });
  const { debuggee } = session.session.loaded!;
  const next = debuggee.registers("guest")!.get("rsi")! + 3n;
  await session.ask("minvisor/allowFork");
  const data = Buffer.from(bytes, "latin1").toString("base64");
  await session.ask("writeMemory", { memoryReference: `gpa:0x${next.toString(16)}`, data });
  await go("continue");
}

/** Whoever opens the saved session has its futures, and the same difference between the two. */
async function expectSaved(known: FutureBody[], compared: CompareFuturesBody): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "minvisor-futures-"));
  const path = join(folder, "saved.mvrec");
  const own = session;
  await own.ask("minvisor/saveRecording", { path });
  session = new InProcessSession();
  try {
    await session.ask("initialize", { adapterID: "minvisor" });
    await session.ask("attach", { recording: path });
    await go("configurationDone");
    expect(await futures()).toEqual(known);
    expect(await compare(1, 2)).toEqual(compared);
    await go("minvisor/seek", { future: 1 });
    expect(hash()).toBe(compared.a.hash);
  } finally {
    session.session.close();
    session = own;
    rmSync(folder, { recursive: true });
  }
}

test("two futures are compared on the consoles and at their ends; the machine stays", async () => {
  const old = hash();
  await print("?!");
  const here = hash();
  const found = await compare(1, 2);
  expect(hash()).toBe(here);
  expect(await timeline()).toMatchObject({ future: 2, isInPast: false, exit: 37 });
  const [, { fork } = { fork: undefined }] = await futures();
  expect(found).toMatchObject({
    a: { future: 1, exits: 37, hash: old },
    b: { future: 2, exits: 37, hash: here },
    ...{ icount: fork!.icount, exit: 20, registers: [], invariants: [] },
    exits: { fields: [], a: [], b: [] },
  });
  const [{ name, a, b } = { name: "", a: "", b: "" }, ...others] = found.console;
  expect(others).toEqual([]);
  expect(name).toBe("com1");
  // They part within the line.
  expect(a).toMatch(/^sample: real mode\n/);
  expect(b).toMatch(/\?!/);
  expect(b.replace("?!", "")).toBe(a.slice(0, b.indexOf("?!")) + a.slice(b.indexOf("?!") + 2));
  await expectSaved(await futures(), found);
  // The page of the text, and no other.
  expect(found.memory.pages).toBe(1);
  expect(found.memory.ranges).toHaveLength(1);
  await expect(compare(2, 2)).rejects.toThrow("compared with itself");
  await expect(compare(2, 3)).rejects.toThrow("There is no future 3");
});

test("exits are compared from the first that differs on, either way round", async () => {
  await print("\0");
  const { exits: count } = await timeline();
  expect(count).toBeLessThan(37);
  await go("minvisor/seek", { future: 1 });
  const found = await compare(2, 1);
  expect(await timeline()).toMatchObject({ future: 1, isInPast: false });
  const { first = 0 } = found.exits;
  expect(first).toBeGreaterThan(20);
  const rows = await exits();
  expect(found.exits.b).toEqual(rows.slice(first - 1, first + 19));
  expect(found.exits.a).toHaveLength(count - first + 1);
  expect(found.exits.fields).toContain("info1");
  const other = await compare(1, 2);
  expect(other.b).toEqual(found.a);
  expect(other.registers).toEqual(found.registers.map(({ name, a, b }) => ({ name, a: b, b: a })));
  expect(found.registers.map(({ name }) => name)).toContain("rsi");
  expect(other.memory).toEqual(found.memory);
});

test("a verdict that only one of them has is told", async () => {
  session.session.close();
  await begin({ invariants: true });
  await go("minvisor/seek", { exit: 20 });
  await change("$vmcb.NP_ENABLE = 0");
  const { description } = await go("continue");
  expect(description).toBe("Paused on violation of vmcb_well_formed");
  const { invariants, exits } = await compare(1, 2);
  expect(invariants).toContainEqual({ name: "vmcb_well_formed", a: "holds", b: "violated" });
  expect(invariants.filter(({ a, b }) => a === b)).toEqual([]);
  expect(exits).toMatchObject({ first: 21, b: [] });
});
