/** Requests about all exits of the recording. */
import { type ExitRow, exitName, exitRow, groupRows, selectRows } from "../../emulator/index.ts";
import { loadedIn } from "../context.ts";
import type { ExitLedgerRow } from "../protocol.ts";
import { hex, UserError } from "../text.ts";
import { bounded } from "./memory.ts";
import type { Handlers } from "./types.ts";

const MOST_ROWS = 10_000;

const nameOf = (code: number): string => exitName(BigInt(code));

function rowBody(row: ExitRow): ExitLedgerRow {
  const { number, guest, cost, at } = row;
  return {
    number,
    reason: nameOf(row.code),
    exitinfo1: hex(row.info1),
    exitinfo2: hex(row.info2),
    rip: hex(row.guestRip),
    guest,
    icount: at.icount,
    ...(cost === undefined ? {} : { cost }),
  };
}

export const ledgerRequests: Handlers<"minvisor/exitLedger"> = {
  "minvisor/exitLedger": (context, { reason, ...page }) => {
    const table = loadedIn(context).debuggee.ledger?.table;
    if (table === undefined) throw new UserError("The exits of this session are not recorded.");
    const start = bounded(page.start ?? 0, "start", 0, Number.MAX_SAFE_INTEGER);
    const count = bounded(page.count ?? 0, "count", 0, MOST_ROWS);
    const all = { chunks: table.chunks, length: table.extent };
    const groups = groupRows(all, "reason").map(({ key, count: size }) => ({
      reason: nameOf(Number(key)),
      code: Number(key),
      count: size,
    }));
    const codes = groups.filter((group) => group.reason === reason).map(({ code }) => code);
    const found = selectRows(all, reason === undefined ? [] : [{ kind: "reason", codes }]);
    return {
      total: found.length,
      groups: groups.map(({ reason: name, count: size }) => ({ reason: name, count: size })),
      rows: Array.from(found.subarray(start, start + count), (row) => rowBody(exitRow(table, row))),
    };
  },
};
