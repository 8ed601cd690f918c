// Backwards out of code of which nothing is known leads to the same call as with its symbols.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExitLedgerBody, ExitLedgerRow } from "../../../debug-adapter/protocol.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";

const seed = testSeed();

let known: InProcessSession;
let unknown: InProcessSession;

async function begin(attributes: object): Promise<InProcessSession> {
  const session = new InProcessSession();
  await session.begin({ ...SAMPLE, ...attributes });
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  await go(session, "configurationDone");
  return session;
}

beforeAll(async () => {
  known = await begin({});
  unknown = await begin({ symbols: [] });
}, 300_000);
afterAll(() => {
  for (const { session } of [known, unknown]) session.close();
});

async function go(session: InProcessSession, command: string, args: object = {}): Promise<void> {
  const stopped = session.next("stopped");
  await session.ask(command, { threadId: 1, ...args });
  await stopped;
}

const debuggee = ({ session }: InProcessSession) => session.loaded!.debuggee;

/** The name of the innermost frame. */
async function top(session: InProcessSession): Promise<string> {
  const { stackFrames } = await session.ask<{ stackFrames: { name: string }[] }>("stackTrace", {
    ...{ threadId: 1, levels: 1 },
  });
  return stackFrames[0]!.name;
}

async function guestFrames(session: InProcessSession): Promise<number> {
  const { stackFrames } = await session.ask<{ stackFrames: { name: string }[] }>("stackTrace", {
    threadId: 1,
  });
  return stackFrames.filter(({ name }) => name.startsWith("guest · ")).length;
}

async function out(session: InProcessSession, icount: number, granularity: string) {
  await go(session, "minvisor/seek", { icount });
  const before = await top(session);
  await go(session, "minvisor/reverse", { kind: "out", granularity });
  const { machine } = debuggee(session);
  return { before, at: machine.instant, hash: machine.stateHash() };
}

/** Exits out of functions of the guest's own, by the name of the function. */
async function exitsByFunction(): Promise<Map<string, ExitLedgerRow[]>> {
  const { rows } = await known.ask<ExitLedgerBody>("minvisor/exitLedger", { count: 10_000 });
  const byName = new Map<string, ExitLedgerRow[]>();
  for (const row of rows) {
    const name = row.symbol?.replace(/\+.*/, "") ?? "";
    if (/^(?:|start|protected|long_mode|guest_main)$/.test(name)) continue;
    byName.set(name, [...(byName.get(name) ?? []), row]);
  }
  return byName;
}

test(`from within functions of the guest (seed ${seed})`, async () => {
  const random = randomBelow(seed);
  let compared = 0;
  const restarted = new Set<InProcessSession>();
  for (const [name, rows] of await exitsByFunction()) {
    const { number, icount } = rows[random(rows.length)]!;
    // The instruction before the one that exits.
    const expected = await out(known, icount - 1, "instruction");
    if (!expected.before.startsWith("guest")) continue;
    compared++;
    const found = await out(unknown, icount - 1, "instruction");
    expect(found.before, name).not.toContain(expected.before.replace("guest · ", ""));
    expect({ at: found.at, hash: found.hash }, `${name} before exit ${number}`).toEqual({
      at: expected.at,
      hash: expected.hash,
    });
    // A line is asked for, and there is none.
    expect(await out(unknown, icount - 1, "line"), name).toEqual(found);
    // From there the function is entered, where its frame starts again.
    await go(known, "stepIn", { granularity: "instruction" });
    expect((await top(known)).replace(/\+.*/, "")).toBe(`guest · ${name}`);
    const { icount: begun } = debuggee(known).machine;
    for (const session of [known, unknown]) {
      await go(session, "minvisor/seek", { icount: icount - 1 });
      // The outermost frame that is known starts at VMRUN.
      if ((await guestFrames(session)) < 2) continue;
      restarted.add(session);
      await go(session, "restartFrame", { frameId: 1 });
      expect(debuggee(session).machine.icount, name).toBe(begun);
    }
  }
  expect(compared).toBeGreaterThan(3);
  expect(restarted.size).toBe(2);
});
