/** Violations as diagnostics on the source lines that made them, until a new run or an edit makes them hold. */
import {
  Diagnostic,
  DiagnosticRelatedInformation,
  DiagnosticSeverity,
  Disposable,
  Location,
  languages,
  Range,
  Uri,
  window,
  workspace,
} from "vscode";
import type { SourceLine, ViolationBody } from "../../debug-adapter/protocol.ts";
import { DIAGNOSTIC_SOURCE } from "../contributions.ts";
import { onCustomEvent } from "../session.ts";
import type { InvariantFeed } from "./invariant-feed.ts";
import { locationOfInvariant } from "./invariant-source.ts";
import { lineOf, relatedPlaces, staysTrue } from "./related-places.ts";

/** The text of a line without its indentation; all of the line where the file cannot be read. */
async function locationOf({ path, line }: SourceLine): Promise<Location> {
  const uri = Uri.file(path);
  try {
    const text = (await workspace.openTextDocument(uri)).lineAt(line - 1);
    const start = text.range.start.with({ character: text.firstNonWhitespaceCharacterIndex });
    return new Location(uri, text.range.with({ start }));
  } catch {
    return new Location(uri, new Range(line - 1, 0, line - 1, Number.MAX_SAFE_INTEGER));
  }
}

async function relatedTo(violation: ViolationBody): Promise<DiagnosticRelatedInformation[]> {
  const { invariant: name, invariantAt: at } = violation;
  const written = locationOfInvariant({ name, at });
  const places = await Promise.all(
    relatedPlaces(violation).map(
      async ({ at, says }) => new DiagnosticRelatedInformation(await locationOf(at), says),
    ),
  );
  return written
    ? [new DiagnosticRelatedInformation(written, `The invariant ${name}`), ...places]
    : places;
}

interface Shown {
  /** Its session's id. */
  readonly session: string;
  readonly invariant: string;
  readonly uri: Uri;
  readonly diagnostic: Diagnostic;
}

/** One of an invariant on a line, however often the run came there. */
const isSame = (a: Shown, b: Shown): boolean =>
  a.invariant === b.invariant &&
  a.uri.toString() === b.uri.toString() &&
  a.diagnostic.range.start.line === b.diagnostic.range.start.line;

export class Violations {
  private readonly collection = languages.createDiagnosticCollection(DIAGNOSTIC_SOURCE);
  private readonly subscriptions: Disposable;
  private shown: readonly Shown[] = [];

  constructor(feed: InvariantFeed) {
    this.subscriptions = Disposable.from(
      this.collection,
      onCustomEvent("minvisor/violation", (body, { id }) => void this.tell(body, id)),
      feed.onDidChange(() =>
        this.keep(({ session, invariant }) => staysTrue(invariant, feed.of(session))),
      ),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  /** One that has no line in any source is not shown. */
  async show(violation: ViolationBody, session: string): Promise<void> {
    const { invariant, message } = violation;
    const place = lineOf(violation);
    if (place === undefined) return;
    const { uri, range } = await locationOf(place);
    const diagnostic = new Diagnostic(range, message, DiagnosticSeverity.Error);
    diagnostic.source = DIAGNOSTIC_SOURCE;
    diagnostic.code = invariant;
    diagnostic.relatedInformation = await relatedTo(violation);
    const shown: Shown = { session, invariant, uri, diagnostic };
    this.replace([...this.shown.filter((each) => !isSame(each, shown)), shown]);
  }

  private async tell(violation: ViolationBody, session: string): Promise<void> {
    const { invariant, message } = violation;
    await this.show(violation, session);
    if (!lineOf(violation)) void window.showErrorMessage(`${invariant}: ${message}`);
  }

  private keep(isKept: (shown: Shown) => boolean): void {
    const kept = this.shown.filter(isKept);
    if (kept.length < this.shown.length) this.replace(kept);
  }

  private replace(shown: readonly Shown[]): void {
    this.shown = shown;
    this.collection.clear();
    for (const { uri, diagnostic } of shown)
      this.collection.set(uri, [...(this.collection.get(uri) ?? []), diagnostic]);
  }
}
