// The exits of a recording over DAP: pages and groups, also of what lies in the future of the present instant.
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  EXIT_GROUPS,
  EXIT_SORTS,
  type ExitDensityArguments,
  type ExitDensityBody,
  type ExitLedgerArguments,
  type ExitLedgerBody,
} from "../../../debug-adapter/protocol.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

let session: InProcessSession;
beforeAll(async () => {
  session = new InProcessSession();
  await session.begin(SAMPLE);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
});
afterAll(() => session.session.close());

const ledger = (args: ExitLedgerArguments = {}) =>
  session.ask<ExitLedgerBody>("minvisor/exitLedger", args);

test("all exits, in pages that join", async () => {
  const { total } = await ledger();
  expect(total).toBe(session.session.loaded!.debuggee.machine.state.exitCount);
  const { rows } = await ledger({ count: total });
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
  const start = total >> 1;
  const pages = [await ledger({ count: start }), await ledger({ start, count: total })];
  expect(pages.flatMap((page) => page.rows)).toEqual(rows);
  expect(rows.at(-1)).toMatchObject({ reason: "VMMCALL", exitinfo1: "0x0", guest: 1 });
});

test("by reason, as counted while they happened", async () => {
  const { total, groups, groupTotal } = await ledger({ groupBy: "reason", count: 100 });
  const { byReason } = await session.ask<{ byReason: Record<string, number> }>("minvisor/exits");
  expect(Object.fromEntries(groups.map(({ key, count }) => [key, count]))).toEqual(byReason);
  expect(groupTotal).toBe(groups.length);
  const { rows } = await ledger({ count: total });
  for (const { key, count, cost, filter } of groups) {
    const some = await ledger({ filter, count: total });
    expect(some.total).toBe(count);
    expect(some.rows).toEqual(rows.filter((row) => row.reason === key));
    expect(some.rows.reduce((sum, row) => sum + (row.cost ?? 0), 0)).toBe(cost);
  }
});

test.each(EXIT_GROUPS)("the groups by %s and what their filters choose", async (groupBy) => {
  const { groups, groupTotal } = await ledger({ groupBy, count: 10_000 });
  expect(groups.length).toBe(groupTotal);
  expect(groupTotal).toBeGreaterThan(0);
  for (const { filter, count } of groups) expect((await ledger({ filter })).total).toBe(count);
  const start = groupTotal - 1;
  expect((await ledger({ groupBy, start, count: 5 })).groups).toEqual(groups.slice(start));
});

test("sorted, in pages that join, and where the present exit is among them", async () => {
  const { total } = await ledger();
  for (const sort of EXIT_SORTS) {
    const up = await ledger({ sort, count: total });
    expect(up.rows.map(({ number }) => number).sort((a, b) => a - b)).toHaveLength(total);
    expect(up.rows[up.here.index!]!.number).toBe(up.here.exit);
    const rest = await ledger({ sort, start: 3, count: total });
    expect(rest.rows).toEqual(up.rows.slice(3));
  }
  const { rows } = await ledger({ sort: "cost", descending: true, count: total });
  const costs = rows.map(({ cost = -1 }) => cost);
  expect(costs).toEqual([...costs].sort((a, b) => b - a));
  expect((await ledger({ filter: "number<2" })).here).toEqual({ exit: total });
});

test("the words of an exit have its port and its MSR", async () => {
  const { rows } = await ledger({ filter: "msr=0xc0010117", count: 1 });
  expect(rows[0]).toMatchObject({ reason: "MSR", info: expect.stringContaining("0xc0010117") });
  const [port] = (await ledger({ groupBy: "port", count: 1 })).groups;
  const io = await ledger({ filter: port!.filter, count: 1 });
  expect(io.rows[0]).toMatchObject({ reason: "IOIO", info: expect.stringContaining(port!.key) });
});

test("a drawing has every exit once, and a stretch those within", async () => {
  const { total } = await ledger();
  const { rows } = await ledger({ count: total });
  const draw = (args: ExitDensityArguments) =>
    session.ask<ExitDensityBody>("minvisor/exitDensity", args);
  const sum = ({ reasons }: ExitDensityBody) =>
    reasons.flatMap(({ counts }) => counts).reduce((all, count) => all + count, 0);
  const all = await draw({ buckets: 50 });
  expect(sum(all)).toBe(total);
  const { machine } = session.session.loaded!.debuggee;
  expect(all).toMatchObject({ from: 0, to: machine.icount, endIcount: machine.icount });
  const [from, to] = [rows[2]!.icount, rows.at(-2)!.icount];
  expect(sum(await draw({ from, to, buckets: 7 }))).toBe(total - 3);
  const filter = `reason=${rows[2]!.reason}`;
  const one = await draw({ from, to: from, buckets: 1, filter });
  expect(one.reasons).toEqual([{ reason: rows[2]!.reason, counts: [1] }]);
  await expect(draw({ from: 5, to: 4, buckets: 1 })).rejects.toThrow(/^to can be from \(5\)/);
});

test("the future is in it, and a row is where seeking to it leads", async () => {
  const { total } = await ledger();
  const before = await ledger({ count: total });
  const { number, icount, rip } = before.rows[4]!;
  const stopped = session.next("stopped");
  await session.ask("minvisor/seek", { exit: number });
  await stopped;
  const { machine, exits } = session.session.loaded!.debuggee;
  expect(machine.icount).toBe(icount);
  expect(`0x${exits.last!.guestRip.toString(16)}`).toBe(rip);
  const after = await ledger({ count: total });
  expect(after.total).toBe(total);
  expect(after.rows.filter((row) => row.number !== number)).toEqual(
    before.rows.filter((row) => row.number !== number),
  );
});

test("a page that is too large is refused", async () => {
  await expect(ledger({ count: 1e9 })).rejects.toThrow(/^count can be 0 to 10000/);
  await expect(ledger({ start: -1 })).rejects.toThrow(/^start can be/);
  await expect(ledger({ filter: "FOO" })).rejects.toThrow(/"FOO" is no exit/);
});
