/** Invariants that are checked anew: a file that is saved, where the machine stands; all, on the whole recorded run. */
import { type DebugSession, Disposable, debug, window, workspace } from "vscode";
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { registerCommand } from "../commands.ts";
import { COMMANDS, DEBUG_TYPE, INVARIANT_LANGUAGE } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { inSession } from "../time-travel/commands.ts";
import { goToFirstViolation } from "./commands.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import type { Policies } from "./policies.ts";
import { checkSummary } from "./verdicts.ts";
import type { Violations } from "./violations.ts";

interface Parts {
  readonly feed: InvariantFeed;
  readonly policies: Policies;
  readonly violations: Violations;
}

export function registerRecheck(parts: Parts): Disposable {
  return Disposable.from(
    workspace.onDidSaveTextDocument(({ languageId }) => {
      const session = debug.activeDebugSession;
      if (languageId === INVARIANT_LANGUAGE && session?.type === DEBUG_TYPE)
        void recheck(session, parts);
    }),
    registerCommand(COMMANDS.checkWholeRun, () => inSession((session) => checkRun(session, parts))),
  );
}

/** The .inv files that are open, as they now read; not what is shipped, nor what they were. */
const openFiles = () =>
  workspace.textDocuments
    .filter(({ languageId, uri }) => languageId === INVARIANT_LANGUAGE && uri.scheme === "file")
    .map((each) => ({ path: each.uri.fsPath, text: each.getText() }));

/** The session checks the open files too, with the policies that are kept for them. */
async function checkOpenFiles(
  session: DebugSession,
  { feed, policies }: Parts,
): Promise<readonly InvariantStatus[]> {
  const files = openFiles();
  const paths = files.map(({ path }) => path);
  const { invariants } = await customRequest(session, "minvisor/setInvariants", {
    files,
    policies: policies.withFiles(session, paths),
  });
  feed.take(session, invariants);
  return invariants;
}

async function recheck(session: DebugSession, parts: Parts): Promise<void> {
  try {
    const invariants = await checkOpenFiles(session, parts);
    const violated = invariants.filter(({ verdict }) => verdict === "violated");
    const says =
      violated.length === 0 ? "none is violated here" : violated.map(({ name }) => name).join(", ");
    window.setStatusBarMessage(`Invariants: ${invariants.length} checked, ${says}`, 5000);
  } catch {
    // The machine runs: the file counts from the next launch or save.
  }
}

/** The session goes on with what was checked. The adapter shows its progress, which cancels it. */
async function checkRun(session: DebugSession, parts: Parts): Promise<void> {
  await checkOpenFiles(session, parts);
  const { invariants } = await customRequest(session, "minvisor/checkRun", {});
  const found = invariants.flatMap(({ violation }) => violation ?? []);
  for (const violation of found) await parts.violations.show(violation, session.id);
  const [first] = found.toSorted((a, b) => a.icount - b.icount);
  const goThere = "Go to the First";
  const buttons = first === undefined ? [] : [goThere];
  const answer = await window.showInformationMessage(checkSummary(invariants), ...buttons);
  if (answer === goThere && first !== undefined)
    await goToFirstViolation(session, { name: first.invariant });
}
