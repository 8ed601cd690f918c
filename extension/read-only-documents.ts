/** Texts of ours that are shown as documents which nobody can edit or save. */
import {
  Disposable,
  EventEmitter,
  Selection,
  type TextDocument,
  TextEditorRevealType,
  Uri,
  window,
  workspace,
} from "vscode";

const SCHEME = "minvisor";

export class ReadOnlyDocuments {
  private readonly texts = new Map<string, string>();
  private readonly changed = new EventEmitter<Uri>();
  private readonly subscriptions: Disposable;

  constructor() {
    this.subscriptions = Disposable.from(
      this.changed,
      workspace.registerTextDocumentContentProvider(SCHEME, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: (uri) => this.texts.get(uri.toString()) ?? "",
      }),
      workspace.onDidCloseTextDocument(({ uri }) => this.texts.delete(uri.toString())),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  /** Shows a line of the document of that name, from 0, with this text; its language is its extension's. */
  async show(name: string, text: string, line: number): Promise<void> {
    const uri = Uri.from({ scheme: SCHEME, path: `/${name}` });
    this.texts.set(uri.toString(), text);
    this.changed.fire(uri);
    await showLine(await workspace.openTextDocument(uri), line);
  }
}

/** Shows a document with the cursor at the beginning of a line, from 0; the last where it has fewer. */
export async function showLine(document: TextDocument, line: number): Promise<void> {
  const editor = await window.showTextDocument(document, { preview: false });
  const { range } = document.lineAt(Math.min(line, document.lineCount - 1));
  editor.selection = new Selection(range.start, range.start);
  editor.revealRange(range, TextEditorRevealType.InCenter);
}
