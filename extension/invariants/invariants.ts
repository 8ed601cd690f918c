/** All that the editor does with invariants: their language, verdicts, violations and commands. */
import { Disposable, type ExtensionContext } from "vscode";
import type { ReadOnlyDocuments } from "../read-only-documents.ts";
import { registerAcl2Documents } from "./acl2-document.ts";
import { registerInvariantCommands } from "./commands.ts";
import { InvariantFeed } from "./invariant-feed.ts";
import { registerInvariantsView } from "./invariants-view.ts";
import { registerInvariantLanguage } from "./language-client.ts";
import { registerInvariantLenses } from "./lenses.ts";
import { Policies } from "./policies.ts";
import { registerRecheck } from "./recheck.ts";
import { Violations } from "./violations.ts";

export function registerInvariants(
  context: ExtensionContext,
  documents: ReadOnlyDocuments,
): Disposable {
  const language = registerInvariantLanguage(context);
  const feed = new InvariantFeed();
  const violations = new Violations(feed);
  const policies = new Policies(context.workspaceState, feed);
  return Disposable.from(
    language,
    feed,
    violations,
    policies,
    registerInvariantsView(feed),
    registerInvariantLenses(feed),
    registerInvariantCommands(feed, policies),
    registerAcl2Documents(feed, documents, language),
    registerRecheck({ feed, policies, violations }),
  );
}
