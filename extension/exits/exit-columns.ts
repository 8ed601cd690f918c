/** The columns of the table of exits and of the table of their groups, as words. */
import type {
  ExitGroupKey,
  ExitLedgerGroup,
  ExitLedgerRow,
  ExitSort,
} from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import type { ExitQuery } from "./exit-store.ts";

export interface Column<Row> {
  readonly title: string;
  /** Names the column's width and side for the style. */
  readonly kind: "number" | "long" | "small" | "text" | "address" | "rest";
  readonly of: (row: Row) => string;
  readonly sort?: ExitSort;
}

export const EXIT_COLUMNS: readonly Column<ExitLedgerRow>[] = [
  { title: "Exit", kind: "number", sort: "number", of: ({ number }) => counted(number) },
  { title: "Reason", kind: "text", sort: "reason", of: ({ reason }) => reason },
  { title: "Guest", kind: "small", sort: "guest", of: ({ guest }) => String(guest) },
  { title: "icount", kind: "long", sort: "icount", of: ({ icount }) => counted(icount) },
  {
    title: "Cost",
    kind: "number",
    sort: "cost",
    of: ({ cost }) => (cost === undefined ? "" : counted(cost)),
  },
  {
    title: "rip",
    kind: "address",
    sort: "rip",
    of: ({ rip, symbol }) => (symbol === undefined ? rip : `${rip} ${symbol}`),
  },
  { title: "EXITINFO", kind: "rest", sort: "info", of: infoText },
];

function infoText({ info, exitinfo1, exitinfo2 }: ExitLedgerRow): string {
  if (info !== "") return info;
  return exitinfo1 === "0x0" && exitinfo2 === "0x0" ? "" : `${exitinfo1}, ${exitinfo2}`;
}

/** In full, where the columns have no room. */
export const exitHint = (exit: ExitLedgerRow): string =>
  [
    `Exit ${counted(exit.number)}, ${exit.reason}, at icount ${counted(exit.icount)}`,
    `EXITINFO1 ${exit.exitinfo1}, EXITINFO2 ${exit.exitinfo2}`,
    ...(exit.cost === undefined ? [] : [`handled in ${counted(exit.cost)} instructions`]),
    "Click to go there",
  ].join("\n");

export const GROUP_TITLES: Readonly<Record<ExitGroupKey, string>> = {
  reason: "Reason",
  guest: "Guest",
  rip: "rip",
  cr3: "CR3",
  port: "Port",
  msr: "MSR",
};

export const groupColumns = (by: ExitGroupKey): readonly Column<ExitLedgerGroup>[] => [
  {
    title: GROUP_TITLES[by],
    kind: "address",
    of: ({ key, name }) => (name === undefined ? key : `${key} ${name}`),
  },
  { title: "Exits", kind: "number", of: ({ count }) => counted(count) },
  { title: "Cost", kind: "number", of: ({ cost }) => counted(cost) },
  {
    title: "Cost of one",
    kind: "number",
    of: ({ count, cost }) => counted(Math.round(cost / count)),
  },
];

/** What a click on a column's title leads to: ascending first, then descending. */
export function sortedBy(query: ExitQuery, sort: ExitSort): ExitQuery {
  return { ...query, sort, descending: query.sort === sort && !query.descending };
}

/** Into a group: its condition is one more of the filter. */
export function within(query: ExitQuery, { filter }: ExitLedgerGroup): ExitQuery {
  return { ...query, filter: `${query.filter} ${filter}`.trim(), groupBy: undefined };
}
