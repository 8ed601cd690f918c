// The exits of a recording over DAP: pages and groups, also of what lies in the future of the present instant.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExitLedgerArguments, ExitLedgerBody } from "../../../debug-adapter/protocol.ts";
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
  const { total, groups } = await ledger();
  const { byReason } = await session.ask<{ byReason: Record<string, number> }>("minvisor/exits");
  expect(Object.fromEntries(groups.map(({ reason, count }) => [reason, count]))).toEqual(byReason);
  const { rows } = await ledger({ count: total });
  for (const { reason, count } of groups) {
    const some = await ledger({ reason, count: total });
    expect(some.total).toBe(count);
    expect(some.rows).toEqual(rows.filter((row) => row.reason === reason));
  }
  expect(await ledger({ reason: "NO_SUCH_EXIT", count: 5 })).toMatchObject({ total: 0, rows: [] });
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
});
