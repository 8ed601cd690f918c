/** Invariant violations as diagnostics on the source lines that broke them. */
import {
  Diagnostic,
  type DiagnosticCollection,
  DiagnosticRelatedInformation,
  DiagnosticSeverity,
  Disposable,
  debug,
  Location,
  languages,
  Range,
  Uri,
  window,
  workspace,
} from "vscode";
import type { SourceLine, ViolationBody } from "../debug-adapter/protocol.ts";
import { DEBUG_TYPE, DIAGNOSTIC_SOURCE } from "./contributions.ts";
import { onCustomEvent } from "./session.ts";

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

/** On the line that broke it; where nothing wrote it, on the VMRUN. */
async function show(collection: DiagnosticCollection, violation: ViolationBody): Promise<void> {
  const { invariant, message, culprit, vmrun } = violation;
  const place = culprit ?? vmrun;
  if (place === undefined) {
    void window.showErrorMessage(`${invariant}: ${message}`);
    return;
  }
  const { uri, range } = await locationOf(place);
  const diagnostic = new Diagnostic(range, message, DiagnosticSeverity.Error);
  diagnostic.source = DIAGNOSTIC_SOURCE;
  diagnostic.code = invariant;
  if (culprit && vmrun)
    diagnostic.relatedInformation = [
      new DiagnosticRelatedInformation(
        await locationOf(vmrun),
        `Found by the check at this VMRUN, after ${violation.icount} instructions`,
      ),
    ];
  collection.set(uri, [...(collection.get(uri) ?? []), diagnostic]);
}

/** Messages to the adapter that begin a new run of the machine. */
const BEGINNINGS = new Set(["launch", "restart"]);

export function registerDiagnostics(): Disposable {
  const collection = languages.createDiagnosticCollection(DIAGNOSTIC_SOURCE);
  return Disposable.from(
    collection,
    onCustomEvent("minvisor/violation", (violation) => void show(collection, violation)),
    debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
      createDebugAdapterTracker: () => ({
        onWillReceiveMessage: (message: { readonly command?: string }) => {
          if (message.command && BEGINNINGS.has(message.command)) collection.clear();
        },
      }),
    }),
  );
}
