/** The rows of the view of all exits: by reason, in pages where there are many. */
import type {
  ExitLedgerArguments,
  ExitLedgerBody,
  ExitLedgerRow,
} from "../../debug-adapter/protocol.ts";

/** Exits of one reason, or all. */
export interface GroupRow {
  readonly kind: "group";
  readonly reason: string | undefined;
  readonly count: number;
}

export interface PageRow {
  readonly kind: "page";
  readonly reason: string | undefined;
  readonly start: number;
  readonly count: number;
}

export interface ExitRow {
  readonly kind: "exit";
  /** The group in which the exit is shown. */
  readonly within: string | undefined;
  readonly exit: ExitLedgerRow;
}

export type Row = GroupRow | PageRow | ExitRow;

export const PAGE_ROWS = 500;

const counted = (count: number): string => count.toLocaleString("en-US");

type Ask = (args: ExitLedgerArguments) => PromiseLike<ExitLedgerBody>;

async function exitsOf(page: Omit<PageRow, "kind">, ask: Ask): Promise<ExitRow[]> {
  const { reason, start, count } = page;
  const { rows } = await ask({ ...(reason === undefined ? {} : { reason }), start, count });
  return rows.map((exit) => ({ kind: "exit", within: reason, exit }));
}

function pagesOf({ reason, count }: GroupRow): PageRow[] {
  return Array.from({ length: Math.ceil(count / PAGE_ROWS) }, (_, page) => {
    const start = page * PAGE_ROWS;
    return { kind: "page", reason, start, count: Math.min(PAGE_ROWS, count - start) };
  });
}

export async function rowsOf(ask: Ask, parent?: Row): Promise<Row[]> {
  if (parent === undefined) {
    const { total, groups } = await ask({});
    if (total === 0) return [];
    const all: GroupRow = { kind: "group", reason: undefined, count: total };
    return [all, ...groups.map((group): GroupRow => ({ kind: "group", ...group }))];
  }
  if (parent.kind === "exit") return [];
  if (parent.kind === "page") return exitsOf(parent, ask);
  if (parent.count > PAGE_ROWS) return pagesOf(parent);
  return exitsOf({ ...parent, start: 0 }, ask);
}

export interface RowText {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip?: string;
}

function exitText({ within, exit }: ExitRow): RowText {
  const { number, reason, rip, guest, icount, exitinfo1, exitinfo2, cost } = exit;
  const handled = cost === undefined ? [] : [`handled in ${counted(cost)} instructions`];
  return {
    id: `exit ${within ?? ""} ${number}`,
    label: `${counted(number)} ${reason}`,
    description: [`rip ${rip}`, `icount ${counted(icount)}`, ...handled].join(" · "),
    tooltip: `EXITINFO1 ${exitinfo1}, EXITINFO2 ${exitinfo2}, guest ${guest}; click to go there`,
  };
}

export function textOf(row: Row): RowText {
  if (row.kind === "exit") return exitText(row);
  const { reason, count } = row;
  if (row.kind === "group")
    return {
      id: `group ${reason ?? ""}`,
      label: reason ?? "All exits",
      description: counted(count),
    };
  return {
    id: `page ${reason ?? ""} ${row.start}`,
    label: `${counted(row.start + 1)} to ${counted(row.start + count)}`,
    description: "",
  };
}
