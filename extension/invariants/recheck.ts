/** An .inv file that is saved while a machine stands still is checked at once, as it now reads. */
import { type Disposable, debug, type TextDocument, window, workspace } from "vscode";
import { DEBUG_TYPE, INVARIANT_LANGUAGE } from "../contributions.ts";
import { customRequest } from "../session.ts";
import type { InvariantFeed } from "./invariant-feed.ts";

export function registerRecheck(feed: InvariantFeed): Disposable {
  return workspace.onDidSaveTextDocument((document) => void recheck(feed, document));
}

async function recheck(feed: InvariantFeed, { languageId }: TextDocument): Promise<void> {
  const session = debug.activeDebugSession;
  if (languageId !== INVARIANT_LANGUAGE || session?.type !== DEBUG_TYPE) return;
  const open = workspace.textDocuments.filter((each) => each.languageId === INVARIANT_LANGUAGE);
  const files = open.map((each) => ({ path: each.uri.fsPath, text: each.getText() }));
  try {
    const { invariants } = await customRequest(session, "minvisor/setInvariants", { files });
    feed.take(session, invariants);
    const violated = invariants.filter(({ verdict }) => verdict === "violated");
    const says =
      violated.length === 0 ? "none is violated here" : violated.map(({ name }) => name).join(", ");
    window.setStatusBarMessage(`Invariants: ${invariants.length} checked, ${says}`, 5000);
  } catch {
    // The machine runs: the file counts from the next launch or save.
  }
}
