/** The rows of the exit ledger that a client pages through: chosen and sorted once, until the machine moves. */
import {
  FilterError,
  type LedgerCondition,
  type LedgerRows,
  type LedgerTable,
  parseFilter,
  selectRows,
  sortRows,
} from "../../emulator/index.ts";
import type { Context, Loaded } from "../context.ts";
import type { ExitLedgerArguments } from "../protocol.ts";
import { QuietError } from "../text.ts";

export interface AllExits extends LedgerRows {
  readonly table: LedgerTable;
}

/**
 * Every exit of the recording, those in the future of the present instant too. Throws a QuietError: a view
 * that asks by itself says so in its own place.
 */
export function allExits({ loaded }: Context): AllExits {
  if (loaded === undefined) throw new QuietError("No machine is loaded: launch first.");
  const table = loaded.debuggee.ledger?.table;
  if (table === undefined) {
    throw new QuietError(
      'The exits of this session are not recorded: set "recording" to true in the launch configuration.',
    );
  }
  return { table, chunks: table.chunks, length: table.extent };
}

/** Throws a QuietError. */
export function conditionsOf(filter = ""): LedgerCondition[] {
  try {
    return parseFilter(filter);
  } catch (error) {
    if (error instanceof FilterError) throw new QuietError(`${error.message}.`);
    throw error;
  }
}

interface Selection {
  readonly of: string;
  readonly rows: Uint32Array;
}

const lastSelections = new WeakMap<LedgerTable, Selection>();

/** Numbers of rows, from 0. */
export function selectedRows(
  { debuggee: { machine, timeline } }: Loaded,
  all: AllExits,
  { filter, sort = "number", descending = false }: ExitLedgerArguments,
): Uint32Array {
  const { icount, idleTicks, events } = machine.instant;
  const where = [timeline?.future, icount, idleTicks, events];
  const of = JSON.stringify([filter, sort, descending, all.length, ...where]);
  const last = lastSelections.get(all.table);
  if (last?.of === of) return last.rows;
  const found = selectRows(all, conditionsOf(filter));
  const isGiven = sort === "number" && !descending;
  const rows = isGiven
    ? found
    : sortRows(all, found, sort, descending ? "descending" : "ascending");
  lastSelections.set(all.table, { of, rows });
  return rows;
}
