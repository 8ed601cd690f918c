/** Requests about all exits of the recording. */
import {
  type ExitGroup,
  exitDensity,
  exitName,
  exitRow,
  groupRows,
  msrByNumber,
} from "../../emulator/index.ts";
import { loadedIn } from "../context.ts";
import { allExits, conditionsOf, selectedRows } from "../exits/exit-selections.ts";
import { ledgerRow } from "../exits/ledger-row.ts";
import type { Images } from "../images.ts";
import type { ExitGroupKey, ExitLedgerGroup } from "../protocol.ts";
import { hex, UserError } from "../text.ts";
import { bounded } from "./memory.ts";
import type { Handlers } from "./types.ts";

const MOST_ROWS = 10_000;
const MOST_BUCKETS = 10_000;

const KEY_TEXTS: { readonly [K in ExitGroupKey]?: (key: bigint) => string } = {
  reason: exitName,
  guest: String,
};

function groupName(by: ExitGroupKey, key: bigint, images: Images): string | undefined {
  if (by === "rip") return images.nameOf("guest", key);
  return by === "msr" ? msrByNumber(Number(key))?.name : undefined;
}

function groupBody(by: ExitGroupKey, group: ExitGroup, images: Images): ExitLedgerGroup {
  const key = (KEY_TEXTS[by] ?? hex)(group.key);
  const name = groupName(by, group.key, images);
  return {
    key,
    ...(name === undefined ? {} : { name }),
    count: group.count,
    cost: group.cost.sum,
    filter: `${by}=${key}`,
  };
}

export const ledgerRequests: Handlers<"minvisor/exitLedger" | "minvisor/exitDensity"> = {
  "minvisor/exitLedger": (context, args) => {
    const all = allExits(context);
    const loaded = loadedIn(context);
    const { images, machine } = loaded.debuggee;
    const start = bounded(args.start ?? 0, "start", 0, Number.MAX_SAFE_INTEGER);
    const end = start + bounded(args.count ?? 0, "count", 0, MOST_ROWS);
    const exit = machine.state.exitCount;
    const { groupBy, filter } = args;
    if (groupBy !== undefined) {
      const groups = groupRows(all, groupBy, conditionsOf(filter));
      return {
        total: groups.reduce((sum, { count }) => sum + count, 0),
        here: { exit },
        rows: [],
        groups: groups.slice(start, end).map((group) => groupBody(groupBy, group, images)),
        groupTotal: groups.length,
      };
    }
    const found = selectedRows(loaded, all, args);
    const index = exit === 0 ? -1 : found.indexOf(exit - 1);
    return {
      total: found.length,
      here: { exit, ...(index < 0 ? {} : { index }) },
      rows: Array.from(found.subarray(start, end), (row) =>
        ledgerRow(exitRow(all.table, row), images),
      ),
      groups: [],
      groupTotal: 0,
    };
  },

  "minvisor/exitDensity": (context, args) => {
    const all = allExits(context);
    const { timeline, machine } = loadedIn(context).debuggee;
    const { icount } = machine;
    const endIcount = timeline?.endOfTime.icount ?? icount;
    const from = bounded(args.from ?? 0, "from", 0, Number.MAX_SAFE_INTEGER);
    const to = args.to ?? Math.max(from, endIcount);
    if (to < from) throw new UserError(`to can be from (${from}) or later, not ${to}.`);
    const buckets = bounded(args.buckets, "buckets", 1, MOST_BUCKETS);
    const density = exitDensity(all, { from, to }, buckets, conditionsOf(args.filter));
    const reasons = density.map(({ code, counts }) => ({
      reason: exitName(code),
      counts: [...counts],
    }));
    return { from, to, icount, endIcount, reasons };
  },
};
