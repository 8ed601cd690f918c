/** Invariants that are checked anew: a file that is saved, where the machine stands; all, on the whole recorded run. */
import { type DebugSession, Disposable, debug, window, workspace } from "vscode";
import { registerCommand } from "../commands.ts";
import { COMMANDS, DEBUG_TYPE, INVARIANT_LANGUAGE } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { inSession } from "../time-travel/commands.ts";
import { goToFirstViolation } from "./commands.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { checkSummary } from "./verdicts.ts";
import type { Violations } from "./violations.ts";

export function registerRecheck(feed: InvariantFeed, violations: Violations): Disposable {
  return Disposable.from(
    workspace.onDidSaveTextDocument(({ languageId }) => {
      const session = debug.activeDebugSession;
      if (languageId === INVARIANT_LANGUAGE && session?.type === DEBUG_TYPE)
        void recheck(session, feed);
    }),
    registerCommand(COMMANDS.checkWholeRun, () =>
      inSession((session) => checkRun(session, feed, violations)),
    ),
  );
}

/** The .inv files that are open, as they now read; not what is shipped, nor what they were. */
const openFiles = () =>
  workspace.textDocuments
    .filter(({ languageId, uri }) => languageId === INVARIANT_LANGUAGE && uri.scheme === "file")
    .map((each) => ({ path: each.uri.fsPath, text: each.getText() }));

async function recheck(session: DebugSession, feed: InvariantFeed): Promise<void> {
  try {
    const { invariants } = await customRequest(session, "minvisor/setInvariants", {
      files: openFiles(),
    });
    feed.take(session, invariants);
    const violated = invariants.filter(({ verdict }) => verdict === "violated");
    const says =
      violated.length === 0 ? "none is violated here" : violated.map(({ name }) => name).join(", ");
    window.setStatusBarMessage(`Invariants: ${invariants.length} checked, ${says}`, 5000);
  } catch {
    // The machine runs: the file counts from the next launch or save.
  }
}

/** The session goes on with what was checked. The adapter shows its progress, which cancels it. */
async function checkRun(
  session: DebugSession,
  feed: InvariantFeed,
  violations: Violations,
): Promise<void> {
  const present = await customRequest(session, "minvisor/setInvariants", { files: openFiles() });
  feed.take(session, present.invariants);
  const { invariants } = await customRequest(session, "minvisor/checkRun", {});
  const found = invariants.flatMap(({ violation }) => violation ?? []);
  for (const violation of found) await violations.show(violation, session.id);
  const [first] = found.toSorted((a, b) => a.icount - b.icount);
  const goThere = "Go to the First";
  const buttons = first === undefined ? [] : [goThere];
  const answer = await window.showInformationMessage(checkSummary(invariants), ...buttons);
  if (answer === goThere && first !== undefined)
    await goToFirstViolation(session, { name: first.invariant });
}
