/** What the run says of each invariant, above it in its .inv file. */
import {
  CodeLens,
  type CodeLensProvider,
  type Command,
  Disposable,
  EventEmitter,
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

/** VS Code forgets a change that it has not drawn yet where the editor loses the focus: it is told again. */
const AGAIN_MS = 1000;

class InvariantLenses implements CodeLensProvider {
  private readonly feed: InvariantFeed;
  private readonly changed = new EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscription: Disposable;
  private again: NodeJS.Timeout | undefined;

  constructor(feed: InvariantFeed) {
    this.feed = feed;
    this.subscription = feed.onDidChange(() => {
      this.changed.fire();
      clearTimeout(this.again);
      this.again = setTimeout(() => this.changed.fire(), AGAIN_MS);
    });
  }

  dispose(): void {
    clearTimeout(this.again);
    this.subscription.dispose();
    this.changed.dispose();
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
  const lenses = new InvariantLenses(feed);
  return Disposable.from(languages.registerCodeLensProvider(INVARIANT_LANGUAGE, lenses), lenses);
}
