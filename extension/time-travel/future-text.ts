/** Futures as rows to choose from, and what two of them differ in as two documents side by side. */
import type {
  CompareFuturesBody,
  ExitLedgerRow,
  FutureBody,
  FutureDifference,
} from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import { EXIT_COLUMNS } from "../exits/exit-columns.ts";

export interface FutureItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly future: number;
}

function item({ number, isCurrent, fork, endIcount, exits }: FutureBody): FutureItem {
  const origin =
    fork === undefined
      ? "the run without changes"
      : `${fork.change} in future ${fork.from} after exit ${counted(fork.exit)}, icount ${counted(fork.icount)}`;
  return {
    label: `Future ${number}`,
    description: isCurrent ? "the machine is here" : "",
    detail: `${origin}; ends at icount ${counted(endIcount)} after ${counted(exits)} exits`,
    future: number,
  };
}

export const futureItems = (futures: readonly FutureBody[]): FutureItem[] => futures.map(item);

/** What is above the two documents. */
export const comparisonTitle = ({ a, b, exit, icount }: CompareFuturesBody): string =>
  `Future ${a.future} and ${b.future}, which part after exit ${counted(exit)} at icount ${counted(icount)}`;

/** Of each future, line by line as the other's. */
export function comparisonDocuments(body: CompareFuturesBody): { a: string; b: string } {
  return { a: documentOf(body, "a"), b: documentOf(body, "b") };
}

type Side = "a" | "b";

function documentOf(body: CompareFuturesBody, side: Side): string {
  const { future, icount, exits, hash } = body[side];
  const parts = [
    [
      `Future ${future}`,
      `ends at icount ${counted(icount)} after ${counted(exits)} exits, state ${hash}`,
    ],
    exitLines(body, side),
    ...body.console.map((port) => [`Console ${port.name}`, ...port[side].split("\n")]),
    differenceLines("CPU state at the end", body.registers, side),
    memoryLines(body),
    differenceLines("Invariants at the end", body.invariants, side),
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n");
}

function exitLines({ exits }: CompareFuturesBody, side: Side): string[] {
  const { first, fields } = exits;
  if (first === undefined) return ["All exits are the same"];
  const what = fields.length === 0 ? "which only one has" : `in ${fields.join(", ")}`;
  return [`The first exit that differs: ${counted(first)}, ${what}`, ...exits[side].map(exitLine)];
}

/** Without the cost, which is of what comes after the exit. */
function exitLine(exit: ExitLedgerRow): string {
  const texts = EXIT_COLUMNS.filter(({ sort }) => sort !== "cost").map(({ of }) => of(exit));
  return texts.join("  ").trimEnd();
}

function differenceLines(title: string, all: readonly FutureDifference[], side: Side): string[] {
  if (all.length === 0) return [];
  const width = Math.max(...all.map(({ name }) => name.length));
  return [title, ...all.map((each) => `${each.name.padEnd(width)} ${each[side]}`)];
}

function memoryLines({ memory }: CompareFuturesBody): string[] {
  const { pages, ranges } = memory;
  if (pages === 0) return ["Memory at the end is the same"];
  const shown = ranges.map(({ start, end }) => `${start} up to ${end}`);
  return [`Pages of memory that differ at the end: ${counted(pages)}`, ...shown];
}
