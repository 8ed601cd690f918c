// Questions to the past over DAP: what a place held, and why an exit happened; the machine stays where it is.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HistoryBody, WhyBody } from "../../../debug-adapter/protocol.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

let session: InProcessSession;
beforeEach(async () => {
  session = new InProcessSession();
  await session.begin(SAMPLE);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
});
afterEach(() => session.session.close());

const machine = () => session.session.loaded!.debuggee.machine;
const exits = () => session.session.loaded!.debuggee.ledger!.table;

test("the values of a VMCB field are told newest first, with the exits that wrote them", async () => {
  const before = machine().stateHash();
  const history = (args: object) =>
    session.ask<HistoryBody>("minvisor/history", { name: "$vmcb.EXITCODE", ...args });
  const all = await history({ count: 1000 });
  expect(machine().stateHash()).toBe(before);
  expect(all.name).toBe("VMCB field EXITCODE");
  expect(all.hasMore).toBe(false);
  const byExits = all.writes.filter(({ writer }) => !writer.startsWith("the "));
  expect(byExits.map(({ exit }) => exit)).toEqual(
    Array.from({ length: exits().extent }, (_, i) => exits().extent - i),
  );
  // Each value is what the write before it left.
  all.writes.slice(1).forEach((older, i) => {
    expect(all.writes[i]!.old).toBe(older.new);
    expect(all.writes[i]!.icount).toBeGreaterThanOrEqual(older.icount);
  });
  const page = await history({ start: 3, count: 2 });
  expect(page).toEqual({ name: all.name, writes: all.writes.slice(3, 5), hasMore: true });
  await expect(history({ count: 0 })).rejects.toThrow("1 to 10000");
});

test("a write by the host is told with its line", async () => {
  const { writes } = await session.ask<HistoryBody>("minvisor/history", { name: "$vmcb.nCR3" });
  expect(writes[0]).toMatchObject({
    world: "host",
    exit: 0,
    path: expect.stringMatching(/vmcb\.c$/),
  });
  expect(writes[0]!.writer).toContain("vmcb_init");
});

test("why an exit happened: the bit, and the line that set it", async () => {
  const before = machine().stateHash();
  const why = await session.ask<WhyBody>("minvisor/why");
  expect(machine().stateHash()).toBe(before);
  expect(why).toMatchObject({ exit: machine().state.exitCount, reason: "VMMCALL" });
  expect(why.causes[0]).toMatchObject({ name: "intercept" });
  expect(why.causes[0]!.written!.writer).toContain("vmcb_init");
  const first = await session.ask<WhyBody>("minvisor/why", { exit: 1 });
  expect(first).toMatchObject({ exit: 1, reason: "IOIO" });
  expect(first.causes.map(({ name }) => name)).toEqual(["intercept", "I/O map"]);
  expect(first.causes[1]!.text).toContain("set");
  expect(first.causes[1]!.written!.world).toBe("host");
  expect(first.causes[1]!.text).not.toContain("permits");
  await expect(session.ask("minvisor/why", { exit: 99_999 })).rejects.toThrow("no exit 99999");
});
