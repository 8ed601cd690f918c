/** What tells two futures apart: the first exit that is another one, and the states in which they end. */
import type { Machine, Snapshot } from "../machine.ts";
import { differingPages } from "../page-history.ts";
import { allRegisters } from "../state/registers.ts";
import { countWhile } from "./count-while.ts";
import { compareInstants, type Instant } from "./instant.ts";
import { type ExitRow, exitRow } from "./ledger.ts";
import { CHUNK_ROWS, type LedgerChunk, type LedgerTable, WIDE_COLUMNS } from "./ledger-columns.ts";

/** With the wide ones, the columns of which a difference makes an exit another one. */
const COMPARED_NUMBERS = ["code", "icount", "idleTicks", "events"] as const;

/** The row, from 0, from which on two ledgers differ: in it, or because only one has it. */
export function firstDifference(a: LedgerTable, b: LedgerTable): number | undefined {
  const both = Math.min(a.extent, b.extent);
  for (let first = 0; first < both; first += CHUNK_ROWS) {
    const [one, other] = [a.chunkOf(first), b.chunkOf(first)];
    if (one === other) continue;
    const rows = Math.min(CHUNK_ROWS, both - first);
    for (let at = 0; at < rows; at++) if (!sameRow(one, other, at)) return first + at;
  }
  return a.extent === b.extent ? undefined : both;
}

function sameRow(a: LedgerChunk, b: LedgerChunk, at: number): boolean {
  return (
    COMPARED_NUMBERS.every((column) => a[column][at] === b[column][at]) &&
    WIDE_COLUMNS.every((column) => a[column].values[at] === b[column].values[at])
  );
}

/** Exits up to an instant, that one included. */
export function exitsUpTo(table: LedgerTable, instant: Instant): number {
  return countWhile(table.extent, (i) => compareInstants(exitRow(table, i).at, instant) <= 0);
}

/** In what two exits of the same number differ. */
export function differingFields(a: ExitRow, b: ExitRow): string[] {
  const fields: string[] = (["code", ...WIDE_COLUMNS] as const).filter(
    (name) => a[name] !== b[name],
  );
  return compareInstants(a.at, b.at) === 0 ? fields : [...fields, "instant"];
}

/** The machine where a future ends. Its snapshot is to be forgotten. */
export interface EndState {
  readonly snapshot: Snapshot;
  readonly registers: ReadonlyMap<string, bigint>;
  readonly hash: string;
}

export function endStateOf(machine: Machine): EndState {
  return {
    snapshot: machine.snapshot(),
    registers: allRegisters(machine.state),
    hash: machine.stateHash(),
  };
}

/** A register that is another one. */
export interface RegisterDifference {
  readonly name: string;
  readonly a: bigint;
  readonly b: bigint;
}

export function differingRegisters(a: EndState, b: EndState): RegisterDifference[] {
  const differences: RegisterDifference[] = [];
  for (const [name, value] of a.registers) {
    const other = b.registers.get(name);
    if (other !== undefined && other !== value) differences.push({ name, a: value, b: other });
  }
  return differences;
}

/** Numbers of pages of RAM, ascending. */
export function differingMemory(a: EndState, b: EndState): number[] {
  return differingPages(a.snapshot.pages, b.snapshot.pages);
}
