// Invariants in a session: what is told of them, what a violation does, and what an edit leaves as it was.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type {
  CheckRunBody,
  InvariantStatus,
  ViolationBody,
} from "../../../debug-adapter/protocol.ts";
import { inRepository, SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";
import { culpritLine } from "../../invariants/boot.ts";

const BUG = "wrong-region-size";
const PATH = `test/seeded-bugs/${BUG}/nested_pages.c`;
const CULPRIT = { path: inRepository(PATH), line: culpritLine(PATH) };
const BROKEN = "npt_protects_hypervisor";
const CLEAN = { ...SAMPLE, invariants: true };
const SEEDED = { ...CLEAN, kernel: inRepository(`test/seeded-bugs/build/${BUG}.elf`) };

let session: InProcessSession;
let time: number;
beforeEach(() => {
  time = 0;
  session = new InProcessSession({ now: () => time });
});
afterEach(() => session.session.close());

interface Statuses {
  readonly invariants: readonly InvariantStatus[];
}

const statuses = async (): Promise<Map<string, InvariantStatus>> => {
  const { invariants } = await session.ask<Statuses>("minvisor/invariants");
  return new Map(invariants.map((each) => [each.name, each]));
};

/** All events of that name from now on. */
function collect<T>(event: string): T[] {
  const all: T[] = [];
  const listen = () =>
    void session.next<T>(event).then((body) => {
      all.push(body);
      listen();
    });
  listen();
  return all;
}

/** Launches, and runs to the first stop or the end. */
async function run(attributes: object, filters: readonly string[] = ["invariant"]) {
  await session.begin(attributes);
  await session.ask("setExceptionBreakpoints", { filters });
  const ended = Promise.race([session.next("stopped"), session.next("terminated")]);
  await session.ask("configurationDone");
  return ended;
}

test("a stop is followed by what the invariants say, and by the culprit once it was found", async () => {
  const explained = session.next<ViolationBody>("minvisor/violation");
  await session.begin(SEEDED);
  await session.ask("setExceptionBreakpoints", { filters: ["invariant"] });
  const told = collect<Statuses>("minvisor/invariants");
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
  const of = (all: Statuses | undefined) => all?.invariants.find(({ name }) => name === BROKEN);
  expect(of(told[0])).toMatchObject({ verdict: "never checked", policy: "stop" });
  await statuses();
  const first = of(told.at(-1));
  expect(first).toMatchObject({ verdict: "violated", policy: "stop", checks: 1 });
  expect(first?.violation).toMatchObject({ invariant: BROKEN, culprit: undefined, exit: 0 });
  const body = await explained;
  const status = (await statuses()).get(body.invariant);
  expect(status?.violation).toEqual(body);
  expect(body.culprit).toMatchObject(CULPRIT);
});

test("what is only logged goes on, and what is off is not checked", async () => {
  const output = collect<{ output: string }>("output");
  const told = collect("minvisor/invariants");
  const invariantPolicy = { "*": "log", npt_entries_well_formed: "off", [BROKEN]: "log" };
  const end = await run({ ...SEEDED, invariantPolicy });
  expect(end).toBeUndefined();
  const all = await statuses();
  // Twice a second at most, and the clock stands still: when it begins, and at the end.
  expect(told).toHaveLength(2);
  expect(all.get(BROKEN)).toMatchObject({ verdict: "violated", policy: "log" });
  expect(all.get(BROKEN)!.checks).toBeGreaterThan(1);
  const off = { verdict: "never checked", checks: 0, policy: "off" };
  expect(all.get("npt_entries_well_formed")).toMatchObject(off);
  const console = output.map((body) => body.output).join("");
  const lines = console.split("\n").filter((line) => line.startsWith(`${BROKEN} is violated`));
  expect(lines).toEqual([
    expect.stringMatching(
      /^\w+ is violated at .*vmrun\.S:\d+, icount \d+, exit 0: .*Expected: .* Actual: .* Witness: hpa:0x[0-9a-f]+, \d bytes, 0x/,
    ),
  ]);
});

test("what is broken and mended all the time is logged each time and explained once", async () => {
  const output = collect<{ output: string }>("output");
  const explained = collect<ViolationBody>("minvisor/violation");
  const text = 'invariant even on exit "Even exits" : exit.number % 2 == 0;';
  await session.begin({ ...CLEAN, stopOnEntry: true });
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const go = async (command: string) => {
    const stopped = session.next("stopped");
    await session.ask(command, { threadId: 1 });
    await stopped;
  };
  await go("configurationDone");
  await session.ask("minvisor/setInvariants", { files: [{ path: "/even.inv", text }] });
  const first = session.next("minvisor/violation");
  await go("continue");
  await first;
  const { exit } = here();
  const times = Math.ceil(exit / 2);
  expect(times).toBeGreaterThan(3);
  expect((await statuses()).get("even")!.violation!.exit).toBe(2 * times - 1);
  const lines = () =>
    output.flatMap((body) => body.output.match(/^even is violated .*$/gm) ?? []).length;
  // The console gets 60 events a second at most; what waits comes in one.
  expect(output.length).toBeLessThanOrEqual(60);
  time += 1000;
  for (let i = 0; i < 100 && lines() < times; i++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(lines()).toBe(times);
  expect(explained).toHaveLength(1);
});

test("a policy can be changed at a stop", async () => {
  await run(CLEAN, ["exit:VMMCALL"]);
  const before = await statuses();
  const ask = (policies: object) => session.ask("minvisor/setInvariantPolicy", { policies });
  await expect(ask({ nonesuch: "log" })).rejects.toThrow(
    /^There is no invariant "nonesuch"; there are /,
  );
  await ask({ [BROKEN]: "off" });
  const off = await statuses();
  expect(off.get(BROKEN)).toMatchObject({ policy: "off", checks: 0, verdict: "never checked" });
  off.delete(BROKEN);
  for (const [name, status] of off) expect(status).toEqual(before.get(name));
  await ask({ "*": "log" });
  expect((await statuses()).get(BROKEN)).toMatchObject({ policy: "log" });
  // What was chosen in the session goes on in its next run.
  await ask({ [BROKEN]: "off" });
  const stopped = session.next("stopped");
  await session.ask("restart", {});
  await stopped;
  const again = await statuses();
  expect(again.get(BROKEN)).toMatchObject({ policy: "off", checks: 0 });
  expect(again.get("npt_entries_well_formed")).toMatchObject({ policy: "log", verdict: "holds" });
});

test("an expression is worth what the machine has where it stands", async () => {
  await session.begin({ ...CLEAN, stopOnEntry: true });
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const worth = (expression: string) =>
    session.ask<object>("minvisor/invariantExpression", { expression });
  const first = session.next("stopped");
  await session.ask("configurationDone");
  await first;
  expect(await worth("exit.number")).toEqual({ unknown: "there was no exit yet" });
  const next = session.next("stopped");
  await session.ask("continue", { threadId: 1 });
  await next;
  const before = await statuses();
  const rip = await session.ask<{ result: string }>("evaluate", { expression: "$vmcb.RIP" });
  expect(await worth("vmcb.RIP")).toEqual({ value: rip.result });
  expect(await worth("$minvisor_region.start")).toEqual({ value: "0x10000000" });
  expect(await worth("npt(vmcb.nCR3).leaves")).toEqual({
    value: expect.stringMatching(/^a list of \d+$/),
  });
  expect(await worth("forall m in npt(vmcb.nCR3).leaves : m.gpa == m.hpa")).toEqual({
    value: "true",
  });
  expect(await worth("old(exit.number)")).toEqual({ unknown: expect.stringMatching(/./) });
  await expect(worth("cpu.riip")).rejects.toThrow("did you mean rip?");
  await expect(worth("1; define two = 2")).rejects.toThrow("It is not one expression.");
  expect(await statuses()).toEqual(before);
});

test("an edit begins anew what it changes, and leaves the others their counts", async () => {
  const file = (limit: string, doc: string, more = "") => ({
    path: "/own.inv",
    text: `define low(at: integer) = at < ${limit};
      invariant first on vmrun, exit "${doc}" : low(vmcb.nCR3);
      invariant second on exit "RIP of the guest" : exit.number > old(exit.number);${more}`,
  });
  await session.begin(CLEAN);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const set = async (...given: Parameters<typeof file>) => {
    const { problems } = await session.ask<{ problems: object[] }>("minvisor/setInvariants", {
      files: [file(...given)],
    });
    expect(problems).toEqual([]);
  };
  const go = async (command: string) => {
    const stopped = session.next("stopped");
    await session.ask(command, { threadId: 1 });
    return stopped;
  };
  await session.ask("configurationDone");
  await session.next("stopped");
  const fresh = await statuses();
  await set("4G", "Low");
  expect((await statuses()).get("first")).toMatchObject({ checks: 1, verdict: "holds" });
  await session.ask("setExceptionBreakpoints", { filters: ["exit"] });
  for (let i = 0; i < 3; i++) await go("continue");
  const before = await statuses();
  expect(before.get("first")!.checks).toBeGreaterThan(3);
  expect(before.get(BROKEN)!.checks).toBeGreaterThan(fresh.get(BROKEN)!.checks);
  await set("4G", "Said otherwise", "\n// and with a comment");
  const same = await statuses();
  for (const [name, { checks, verdict }] of before) {
    expect(same.get(name)).toMatchObject({ checks, verdict });
  }
  await set("1", "Another bound");
  const other = await statuses();
  expect(other.get("first")).toMatchObject({ checks: 1, verdict: "violated" });
  expect(other.get(BROKEN)!.checks).toBe(before.get(BROKEN)!.checks);
  await set("4G", "Mended");
  expect((await statuses()).get("first")).toMatchObject({ checks: 1, verdict: "holds" });
});

test("policies that come with files count before what is new is judged", async () => {
  await run(CLEAN, ["exit:VMMCALL"]);
  const output = collect<{ output: string }>("output");
  const text = ["off", "log", "stop"].map(
    (name) => `invariant is_${name} on vmrun, exit : cpu.cr3 == 1;`,
  );
  const files = [{ path: "/wrong.inv", text: text.join("\n") }];
  const policies = { is_off: "off", is_log: "log", nonesuch: "log" } as const;
  const { invariants } = await session.ask<Statuses>("minvisor/setInvariants", { files, policies });
  const said = invariants.filter(({ name }) => name.startsWith("is_"));
  expect(said.map(({ name, policy, verdict }) => `${name} ${policy} ${verdict}`)).toEqual([
    "is_off off never checked",
    "is_log log violated",
    "is_stop stop violated",
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(output.map((body) => body.output).join("")).not.toContain("is_off");
  // They stay when the file is set without them, and in the session's next run.
  await session.ask("minvisor/setInvariants", { files });
  expect((await statuses()).get("is_off")).toMatchObject({ policy: "off", checks: 0 });
});

/** Goes there, and gives the stop. */
async function seek(args: object): Promise<{ description: string; text: string; reason: string }> {
  const stopped = session.next<{ description: string; text: string; reason: string }>("stopped");
  await session.ask("minvisor/seek", args);
  return stopped;
}

const here = () => {
  const { machine, images, world } = session.session.loaded!.debuggee;
  const { icount, state } = machine;
  return { icount, exit: state.exitCount, line: images.sourceAt(world, state.rip)?.line };
};

test("to the first violation from the end, and back to the instruction that made it", async () => {
  const invariantPolicy = { "*": "log" };
  await run({ ...SEEDED, invariantPolicy }, ["exit:VMMCALL"]);
  const home = here();
  const violation = (await statuses()).get(BROKEN)!.violation!;
  expect(violation.icount).toBeLessThan(home.icount);
  const explained = session.next<ViolationBody>("minvisor/violation");
  expect(await seek({ violation: "first", invariant: BROKEN })).toMatchObject({
    reason: "exception",
    description: `Paused on violation of ${BROKEN}`,
  });
  expect(here()).toMatchObject({ exit: violation.exit });
  expect(here().icount - violation.icount).toBeLessThanOrEqual(1);
  expect((await statuses()).get(BROKEN)).toMatchObject({ verdict: "violated", checks: 1 });
  const { culprit } = (await statuses()).get(BROKEN)!.violation ?? (await explained);
  expect(culprit === undefined || culprit.line === CULPRIT.line).toBe(true);
  const stop = await seek({ culprit: BROKEN });
  expect(stop).toMatchObject({ reason: "goto", description: `Paused on the culprit of ${BROKEN}` });
  expect(here().line).toBe(CULPRIT.line);
  expect((await statuses()).get(BROKEN)).toMatchObject({ verdict: "never checked" });
  // Before it executes: what it writes is not there yet.
  const { machine } = session.session.loaded!.debuggee;
  const { icount } = machine;
  const stepped = session.next("stopped");
  await session.ask("stepIn", { threadId: 1, granularity: "instruction" });
  await stepped;
  expect(machine.icount).toBe(icount + 1);
  await seek({ to: "end" });
  expect(here()).toEqual(home);
});

test("the culprit of what is violated in a recording is found from its end", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "violated-")), "run.mvrec");
  try {
    await run({ ...SEEDED, invariants: false }, ["exit:VMMCALL"]);
    await session.ask("minvisor/saveRecording", { path });
    session.session.close();
    session = new InProcessSession({ now: () => time });
    await session.ask("initialize", { adapterID: "minvisor" });
    await session.ask("attach", { recording: path, invariants: [BROKEN] });
    const stopped = session.next("stopped");
    await session.ask("configurationDone");
    await stopped;
    expect((await seek({ culprit: BROKEN })).description).toMatch(/^Paused on the culprit/);
    expect(here().line).toBe(CULPRIT.line);
    expect((await seek({ violation: "first" })).description).toBe(
      `Paused on violation of ${BROKEN}`,
    );
    expect(here().exit).toBe(0);
  } finally {
    rmSync(dirname(path), { recursive: true });
  }
});

test("the whole run is checked anew beside the machine, which stays where it is", async () => {
  const invariantPolicy = { "*": "off" };
  await run({ ...SEEDED, invariantPolicy }, ["exit:VMMCALL"]);
  await session.ask("minvisor/setInvariantPolicy", { policies: { "*": "log" } });
  const [home, before] = [here(), await statuses()];
  const { machine } = session.session.loaded!.debuggee;
  const hash = machine.stateHash();
  const few = { path: "/few.inv", text: 'invariant few on exit "Few exits" : exit.number < 5;' };
  const check = async (args: object) => {
    const { invariants } = await session.ask<CheckRunBody>("minvisor/checkRun", args);
    return new Map(invariants.map((each) => [each.name, each]));
  };
  const found = await check({ files: [few] });
  expect(machine.stateHash()).toBe(hash);
  expect(here()).toEqual(home);
  expect(found.get(BROKEN)).toMatchObject({
    verdict: "violated",
    violation: { culprit: CULPRIT, exit: 0 },
  });
  expect(found.get("few")).toMatchObject({
    checks: home.exit,
    violation: { exit: 5, culprit: undefined, lastGoodCheck: { exit: 4 } },
  });
  const after = await statuses();
  expect([...after.keys()]).toEqual([...before.keys()]);
  // What it found of the session's own counts as seen.
  expect(after.get(BROKEN)!.violation).toEqual(found.get(BROKEN)!.violation);
  const first = await check({ stopAtFirst: true });
  expect([...first.values()].filter(({ verdict }) => verdict === "violated")).not.toEqual([]);
  expect(first.get(BROKEN)!.checks).toBeLessThanOrEqual(1);
});

test("the first violation of what an edit has added is found by going through the whole run", async () => {
  await run(CLEAN, ["exit:VMMCALL"]);
  const home = here();
  expect(await seek({ violation: "first" })).toMatchObject({
    reason: "goto",
    description: "The recording does not have a violation of an invariant",
  });
  expect(here()).toEqual(home);
  expect(await seek({ culprit: BROKEN })).toMatchObject({
    description: `The recording does not have a violation of ${BROKEN}`,
  });
  await expect(
    session.ask("minvisor/seek", { violation: "first", invariant: "nonesuch" }),
  ).rejects.toThrow(/^There is no invariant "nonesuch"; there are /);
  const text = 'invariant few on exit "Few exits" : exit.number < 5;';
  await session.ask("minvisor/setInvariants", { files: [{ path: "/few.inv", text }] });
  expect((await statuses()).get("few")).toMatchObject({ verdict: "never checked" });
  await session.ask("minvisor/checkRun");
  expect(await seek({ violation: "first", invariant: "few" })).toMatchObject({
    description: "Paused on violation of few",
  });
  expect(here().exit).toBe(5);
  await seek({ to: "end" });
  // Nobody has looked for one of another name.
  const more = text.replace("few", "fewer").replace("5", "4");
  await session.ask("minvisor/setInvariants", { files: [{ path: "/few.inv", text: more }] });
  expect((await seek({ violation: "first" })).description).toBe("Paused on violation of fewer");
  expect(here().exit).toBe(4);
  await seek({ to: "end" });
  await session.ask("minvisor/setInvariants", { files: [{ path: "/few.inv", text }] });
  expect((await seek({ violation: "first" })).description).toBe("Paused on violation of few");
  expect(here().exit).toBe(5);
  expect(await seek({ culprit: "few" })).toMatchObject({
    description: "No instruction is the culprit of few",
    text: "Registers make it false, and no byte of memory.",
  });
  expect(here().exit).toBe(5);
  await seek({ to: "end" });
  expect(here()).toEqual(home);
  expect((await statuses()).get("few")).toMatchObject({ verdict: "violated" });
});
