/** Which invariant a command is about: a row's, the one under the cursor, or what the user chooses. */
import { window } from "vscode";
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { rowSummary } from "./verdicts.ts";

/** What rows and lenses give; the palette gives nothing. */
export interface InvariantSubject {
  readonly name: string;
}

/** Undefined where the user gave up. Rejects where there is none to choose. */
export async function choose(
  title: string,
  statuses: readonly InvariantStatus[],
  subject: InvariantSubject | undefined,
): Promise<InvariantStatus | undefined> {
  const known = statuses.find(({ name }) => name === subject?.name);
  if (known !== undefined) return known;
  if (statuses.length <= 1) return statuses[0];
  const items = statuses.map((status) => {
    const { name, doc } = status;
    return { label: name, description: rowSummary(status), detail: doc, status };
  });
  return (await window.showQuickPick(items, { title, matchOnDetail: true }))?.status;
}
