// Backwards out of code of which nothing is known leads to the same call as with its symbols.
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomizer } from "../../emulator/time/sample-run.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

const seed = Date.now() & 0xffff;

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

async function out(session: InProcessSession, icount: number, granularity: string) {
  await go(session, "minvisor/seek", { icount });
  const before = await top(session);
  await go(session, "minvisor/reverse", { kind: "out", granularity });
  const { machine } = debuggee(session);
  return { before, at: machine.instant, hash: machine.stateHash() };
}

test(`from within functions of the guest (seed ${seed})`, async () => {
  const random = randomizer(seed);
  const { machine } = debuggee(known);
  const end = machine.icount;
  const seen = new Set<string>();
  for (let tries = 0; tries < 200 && seen.size < 4; tries++) {
    const icount = Math.floor(end * 0.6) + random(Math.floor(end * 0.4));
    await go(known, "minvisor/seek", { icount });
    const name = await top(known);
    const isFunction = /^guest · (?!long_mode|guest_main)\w+$/.test(name);
    if (debuggee(known).world !== "guest" || !isFunction || seen.has(name)) continue;
    seen.add(name);
    const expected = await out(known, icount, "instruction");
    const found = await out(unknown, icount, "instruction");
    expect(found.before, name).not.toContain(name.replace("guest · ", ""));
    expect({ at: found.at, hash: found.hash }, `${name} at icount ${icount}`).toEqual({
      at: expected.at,
      hash: expected.hash,
    });
    // A line is asked for, and there is none.
    expect(await out(unknown, icount, "line"), name).toEqual(found);
    await go(unknown, "stepIn", { granularity: "instruction" });
    expect(debuggee(unknown).machine.state.rsp).toBeLessThan(
      BigInt.asUintN(64, debuggee(known).machine.state.rsp),
    );
  }
  expect(seen.size).toBeGreaterThan(1);
});
