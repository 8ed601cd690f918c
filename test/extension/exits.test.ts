// The rows of the view of all exits, over the real adapter and over more exits than fit a page.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExitLedgerArguments, ExitLedgerBody } from "../../debug-adapter/protocol.ts";
import { PAGE_ROWS, type Row, rowsOf, textOf } from "../../extension/exits/exit-rows.ts";
import { type AdapterClient, startClient } from "../harness/dap-adapter.ts";

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit:VMMCALL"] });
});
afterAll(() => client.stop());

async function ask(args: ExitLedgerArguments): Promise<ExitLedgerBody> {
  return (await client.send("minvisor/exitLedger", args)).body;
}

const sizeOf = (row: Row): number => (row.kind === "exit" ? 1 : row.count);
const sum = (rows: readonly Row[]): number => rows.reduce((all, row) => all + sizeOf(row), 0);

/** The exits below a row, through its pages. */
async function exitsBelow(parent: Row): Promise<Row[]> {
  const rows = await rowsOf(ask, parent);
  const below = rows.map((row) => (row.kind === "exit" ? [row] : exitsBelow(row)));
  return (await Promise.all(below)).flat();
}

test("groups have all exits between them, each with its own", async () => {
  const [all, ...groups] = await rowsOf(ask);
  expect(textOf(all!)).toMatchObject({ label: "All exits" });
  expect(sum(groups)).toBe(sizeOf(all!));
  const seen = new Set<string>();
  for (const group of [all!, ...groups]) {
    const rows = await exitsBelow(group);
    expect(rows.length).toBe(sizeOf(group));
    for (const row of rows) {
      if (group.kind === "group" && group.reason !== undefined)
        expect(textOf(row).label).toMatch(new RegExp(`^\\d+ ${group.reason}$`));
      seen.add(textOf(row).id);
    }
  }
  expect(seen.size).toBe(2 * sizeOf(all!));
});

test("many exits come in pages that hold all of them", async () => {
  const asked: ExitLedgerArguments[] = [];
  const noted = (args: ExitLedgerArguments) => {
    asked.push(args);
    return ask(args);
  };
  const pages = await rowsOf(noted, { kind: "group", reason: "NPF", count: 2 * PAGE_ROWS + 1 });
  expect(pages.map((page) => textOf(page).label)).toEqual([
    "1 to 500",
    "501 to 1,000",
    "1,001 to 1,001",
  ]);
  expect(asked).toEqual([]);
  for (const page of pages) await rowsOf(noted, page);
  expect(asked).toEqual([
    { reason: "NPF", start: 0, count: 500 },
    { reason: "NPF", start: 500, count: 500 },
    { reason: "NPF", start: 1000, count: 1 },
  ]);
});
