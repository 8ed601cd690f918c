/** Commands about an invariant: where it is written, when it was violated, who did it, what a violation does. */
import { type DebugSession, Disposable } from "vscode";
import type { InvariantPolicy } from "../../debug-adapter/protocol.ts";
import { orTell, registerCommand } from "../commands.ts";
import { COMMANDS, type CommandId } from "../contributions.ts";
import { showLine } from "../read-only-documents.ts";
import { customRequest } from "../session.ts";
import { inSession } from "../time-travel/commands.ts";
import { choose, type InvariantSubject } from "./choose.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { openInvariant } from "./invariant-source.ts";
import type { Policies } from "./policies.ts";

const POLICIES: readonly (readonly [CommandId, InvariantPolicy])[] = [
  [COMMANDS.stopAtViolations, "stop"],
  [COMMANDS.logViolations, "log"],
  [COMMANDS.ignoreInvariant, "off"],
];

async function goToInvariant(feed: InvariantFeed, subject?: InvariantSubject): Promise<void> {
  const status = await choose("Go to Invariant", feed.statuses, subject);
  if (status === undefined) return;
  const { document, line } = await openInvariant(status);
  await showLine(document, line);
}

/** Of one invariant, or of any. */
export const goToFirstViolation = (session: DebugSession, subject?: InvariantSubject) =>
  customRequest(session, "minvisor/seek", {
    violation: "first",
    ...(subject?.name === undefined ? {} : { invariant: subject.name }),
  });

async function runBackToCulprit(
  session: DebugSession,
  feed: InvariantFeed,
  subject?: InvariantSubject,
): Promise<void> {
  const violated = feed.of(session.id).filter(({ violation }) => violation !== undefined);
  if (violated.length === 0) throw new Error("No invariant has been violated in this run so far.");
  const status = await choose("Run Back to the Culprit", violated, subject);
  if (status) await customRequest(session, "minvisor/seek", { culprit: status.name });
}

export function registerInvariantCommands(feed: InvariantFeed, policies: Policies): Disposable {
  return Disposable.from(
    registerCommand<InvariantSubject>(COMMANDS.goToInvariant, (subject) =>
      orTell(() => goToInvariant(feed, subject)),
    ),
    registerCommand<InvariantSubject>(COMMANDS.goToFirstViolation, (subject) =>
      inSession((session) => goToFirstViolation(session, subject)),
    ),
    registerCommand<InvariantSubject>(COMMANDS.runBackToCulprit, (subject) =>
      inSession((session) => runBackToCulprit(session, feed, subject)),
    ),
    ...POLICIES.map(([id, policy]) =>
      registerCommand<InvariantSubject>(id, (subject) =>
        inSession(async (session) => {
          const status = feed.of(session.id).find(({ name }) => name === subject?.name);
          if (status) await policies.choose(session, status, policy);
        }),
      ),
    ),
  );
}
