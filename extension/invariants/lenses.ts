/** What the run says of each invariant, above it in its .inv file. */
import {
  CodeLens,
  type CodeLensProvider,
  type Command,
  type Disposable,
  type Event,
  languages,
  type TextDocument,
} from "vscode";
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { COMMANDS, INVARIANT_LANGUAGE } from "../contributions.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { invariantsIn } from "./invariant-places.ts";
import { lensTitle } from "./verdicts.ts";

/** A lens without a command is a text. */
function lensesOf(status: InvariantStatus): Command[] {
  const title = lensTitle(status);
  if (status.violation === undefined) return [{ title, command: "" }];
  const subject = { name: status.name };
  return [{ title, command: COMMANDS.goToFirstViolation, arguments: [subject] }];
}

class InvariantLenses implements CodeLensProvider {
  readonly onDidChangeCodeLenses: Event<void>;
  private readonly feed: InvariantFeed;

  constructor(feed: InvariantFeed) {
    this.feed = feed;
    this.onDidChangeCodeLenses = feed.onDidChange;
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    const { fsPath } = document.uri;
    const own = this.feed.statuses.filter(({ at }) => at === undefined || at.path === fsPath);
    const statuses = new Map(own.map((status) => [status.name, status]));
    return invariantsIn(document.getText()).flatMap(({ name, line }) => {
      const status = statuses.get(name);
      if (status === undefined) return [];
      const { range } = document.lineAt(line);
      return lensesOf(status).map((command) => new CodeLens(range, command));
    });
  }
}

export function registerInvariantLenses(feed: InvariantFeed): Disposable {
  return languages.registerCodeLensProvider(INVARIANT_LANGUAGE, new InvariantLenses(feed));
}
