/** The rows of the view of invariants: by verdict, what is wrong first. */
import type { InvariantStatus, Verdict } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import { details, rowSummary } from "./verdicts.ts";

export interface GroupRow {
  readonly kind: "group";
  readonly verdict: Verdict;
  readonly statuses: readonly InvariantStatus[];
}

export interface InvariantRow {
  readonly kind: "invariant";
  readonly verdict: Verdict;
  readonly name: string;
  readonly status: InvariantStatus;
}

export type Row = GroupRow | InvariantRow;

interface VerdictText {
  readonly label: string;
  readonly icon: string;
  /** Whether its rows are shown at first. */
  readonly isOpen: boolean;
}

/** In the order of the groups. */
const VERDICTS: { readonly [V in Verdict]: VerdictText } = {
  violated: { label: "Violated", icon: "error", isOpen: true },
  unknown: { label: "Unknown", icon: "question", isOpen: true },
  holds: { label: "Holds", icon: "pass", isOpen: false },
  "never checked": { label: "Never checked", icon: "circle-large-outline", isOpen: false },
};

function invariantRow(status: InvariantStatus): InvariantRow {
  const { verdict, name } = status;
  return { kind: "invariant", verdict, name, status };
}

/** Groups, or the rows of one: first those that the run violates anywhere. */
export function rowsOf(statuses: readonly InvariantStatus[], parent?: Row): readonly Row[] {
  if (parent?.kind === "invariant") return [];
  if (parent !== undefined) {
    const rank = (each: InvariantStatus): number => (wasSeenViolated(each) ? 0 : 1);
    return parent.statuses.toSorted((a, b) => rank(a) - rank(b)).map(invariantRow);
  }
  return (Object.keys(VERDICTS) as Verdict[])
    .map((verdict): GroupRow => {
      const own = statuses.filter((each) => each.verdict === verdict);
      return { kind: "group", verdict, statuses: own };
    })
    .filter((group) => group.statuses.length > 0);
}

const wasSeenViolated = ({ violation }: InvariantStatus): boolean => violation !== undefined;

/** How many are in a group; of those that are not violated here, how many the run violates elsewhere. */
function groupSummary({ verdict, statuses }: GroupRow): string {
  const count = counted(statuses.length);
  const seen = verdict === "violated" ? 0 : statuses.filter(wasSeenViolated).length;
  return seen === 0 ? count : `${count} · ${counted(seen)} seen violated`;
}

/** What a row shows. */
export interface RowText {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  readonly icon: string;
  readonly isOpen: boolean;
}

export function textOf(row: Row): RowText {
  const { label, icon, isOpen } = VERDICTS[row.verdict];
  if (row.kind === "invariant") {
    const { name, status } = row;
    return {
      ...{ id: name, label: name, description: rowSummary(status), tooltip: details(status) },
      icon: status.policy === "off" ? "circle-slash" : icon,
      isOpen: false,
    };
  }
  const description = groupSummary(row);
  return {
    ...{ id: `group ${row.verdict}`, label, description, icon, isOpen },
    tooltip: `${label}: ${description} of the invariants, on this run as far as it has gone`,
  };
}

/** The number on the view, and what it says. */
export function badgeOf(statuses: readonly InvariantStatus[]): { value: number; tooltip: string } {
  const value = statuses.filter(({ verdict }) => verdict === "violated").length;
  return { value, tooltip: `${counted(value)} invariant${value === 1 ? " is" : "s are"} violated` };
}
