/** "Show ACL2 Form": the exported form of an invariant beside it, read-only. */
import { type Disposable, window } from "vscode";
import { orTell, registerCommand } from "../commands.ts";
import { COMMANDS, INVARIANT_LANGUAGE } from "../contributions.ts";
import type { ReadOnlyDocuments } from "../read-only-documents.ts";
import { choose, type InvariantSubject } from "./choose.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { invariantAt } from "./invariant-places.ts";
import { openInvariant } from "./invariant-source.ts";
import type { InvariantLanguage } from "./language-client.ts";

interface Shown {
  /** Of the file, as the editor names it. */
  readonly uri: string;
  readonly name: string;
}

const TITLE = "Show ACL2 Form";

/** The invariant that the cursor is in. */
function underCursor(): Shown | undefined {
  const { document, selection } = window.activeTextEditor ?? {};
  if (document?.languageId !== INVARIANT_LANGUAGE || selection === undefined) return undefined;
  const name = invariantAt(document.getText(), selection.active.line);
  return name === undefined ? undefined : { uri: document.uri.toString(), name };
}

export function registerAcl2Documents(
  feed: InvariantFeed,
  documents: ReadOnlyDocuments,
  language: InvariantLanguage,
): Disposable {
  const chosen = async (subject: InvariantSubject | undefined): Promise<Shown | undefined> => {
    const here = subject === undefined ? underCursor() : undefined;
    if (here !== undefined) return here;
    const status = await choose(TITLE, feed.statuses, subject);
    if (status === undefined) return undefined;
    const { document } = await openInvariant(status);
    return { uri: document.uri.toString(), name: status.name };
  };
  return registerCommand<InvariantSubject>(COMMANDS.showAcl2Form, (subject) =>
    orTell(async () => {
      const invariant = await chosen(subject);
      if (invariant === undefined) return;
      const { text } = await language.acl2Form(invariant);
      await documents.show(`${invariant.name}.lisp`, text, 0);
    }),
  );
}
