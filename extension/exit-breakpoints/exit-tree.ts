/** The rows of the view of exit breakpoints: exits by group, and the events that the user added. */
import { EXIT_CODES } from "../../debug-adapter/protocol/exit-codes.ts";
import type { ExitCode } from "../../debug-adapter/protocol.ts";
import { type EventBreakpoints, summary } from "./event-breakpoints.ts";

export interface GroupRow {
  readonly kind: "group";
  readonly name: string;
  readonly events: readonly string[];
}

export interface EventRow {
  readonly kind: "event";
  readonly event: string;
  /** Missing for an event that the user added. */
  readonly exit: ExitCode | undefined;
}

export type Row = GroupRow | EventRow;

const ADDED = "Other events";
const eventOf = ({ name }: ExitCode): string => `vmexit:${name}`;
const EXITS_BY_EVENT = new Map(EXIT_CODES.map((exit) => [eventOf(exit), exit]));

export const isExitEvent = (event: string): boolean => EXITS_BY_EVENT.has(event);

const GROUPS: readonly GroupRow[] = [...new Set(EXIT_CODES.map(({ group }) => group))].map(
  (name) => ({
    kind: "group",
    name,
    events: EXIT_CODES.filter(({ group }) => group === name).map(eventOf),
  }),
);

/** A group of one exit is that exit's row. */
function rowOf(group: GroupRow): Row {
  const [only] = group.events;
  return group.events.length === 1 && only !== undefined ? eventRow(only) : group;
}

export const eventRow = (event: string): EventRow => ({
  kind: "event",
  event,
  exit: EXITS_BY_EVENT.get(event),
});

export function rowsOf(breakpoints: EventBreakpoints, parent?: Row): readonly Row[] {
  if (parent !== undefined) return parent.kind === "group" ? parent.events.map(eventRow) : [];
  const events = breakpoints.added.map(({ event }) => event);
  // The exits that every hypervisor has to do with come first: those that are alone.
  const exits = GROUPS.map(rowOf).sort(
    (a, b) => Number(a.kind === "group") - Number(b.kind === "group"),
  );
  return events.length === 0 ? exits : [{ kind: "group", name: ADDED, events }, ...exits];
}

/** What a row shows. */
export interface RowText {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  readonly checked: boolean;
  readonly problem?: string;
  readonly isHit: boolean;
  /** For a screen reader, which says itself whether the row is checked. */
  readonly spoken: string;
}

export function textOf(row: Row, breakpoints: EventBreakpoints): RowText {
  return row.kind === "group" ? groupText(row, breakpoints) : eventText(row, breakpoints);
}

function groupText({ name, events }: GroupRow, breakpoints: EventBreakpoints): RowText {
  const set = events.filter((event) => breakpoints.of(event).enabled).length;
  return {
    id: `group ${name}`,
    label: name,
    description: set === 0 ? "" : `${set} of ${events.length}`,
    tooltip: `${events.length} events, ${set} of them stop`,
    checked: set === events.length,
    isHit: events.some((event) => breakpoints.isHit(event)),
    spoken: `${name}, ${set} of ${events.length} stop`,
  };
}

function eventText({ event, exit }: EventRow, breakpoints: EventBreakpoints): RowText {
  const breakpoint = breakpoints.of(event);
  const problem = breakpoints.problem(event);
  const texts = summary(breakpoint);
  const meaning = exit?.doc ?? "Event of the machine";
  const label = exit?.name ?? event;
  const code = exit === undefined ? "" : `EXITCODE ${exit.code < 0 ? exit.code : hex(exit.code)}. `;
  const isHit = breakpoints.isHit(event);
  const isOwnMeaning = meaning !== label;
  const said = [
    label,
    isHit ? "stopped here" : "",
    problem ?? "",
    texts,
    isOwnMeaning ? meaning : "",
  ];
  return {
    id: event,
    label,
    description: problem ?? (texts || (isOwnMeaning ? meaning : "")),
    tooltip: [`${meaning}. ${code}(${event})`, texts, problem ?? ""].filter(Boolean).join("\n"),
    checked: breakpoint.enabled,
    ...(problem === undefined ? {} : { problem }),
    isHit,
    spoken: said.filter(Boolean).join(", "),
  };
}

const hex = (value: number): string => `0x${value.toString(16)}`;
