/** The values that a place had, as rows to choose from; and where a condition or a text is looked for. */
import type { HistoryArguments, HistoryBody, ValueWrite } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import type { VariableSubject } from "../references.ts";

export interface WriteItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly icount: number;
}

function item({ icount, exit, world, old, new: now, writer }: ValueWrite): WriteItem {
  return {
    label: `${old} -> ${now}`,
    description: `${world} · exit ${counted(exit)} · icount ${counted(icount)}`,
    detail: writer,
    icount,
  };
}

export const writeItems = ({ writes }: HistoryBody): WriteItem[] => writes.map(item);

/** What is above the rows. */
export function historyTitle({ name, writes, hasMore }: HistoryBody): string {
  if (writes.length === 0) return `Nothing has written ${name} since reset`;
  return `${hasMore ? `The last ${counted(writes.length)}` : "All"} writes of ${name}`;
}

/** The place of a row of the variables view. */
export function placeOfVariable(
  subject: VariableSubject | undefined,
): HistoryArguments | undefined {
  const { container, variable } = subject ?? {};
  if (variable?.name === undefined) return undefined;
  const { variablesReference } = container ?? {};
  if (variablesReference !== undefined) return { name: variable.name, variablesReference };
  const name = variable.evaluateName ?? variable.memoryReference;
  return name === undefined ? undefined : { name };
}
