/** Recordings in the editor: a document says what is in one, and starts a session that is its run. */
import {
  type CustomDocument,
  type CustomReadonlyEditorProvider,
  Disposable,
  debug,
  Uri,
  type WebviewPanel,
  window,
  workspace,
} from "vscode";
import { registerCommand } from "../commands.ts";
import { COMMANDS, DEBUG_TYPE, EDITORS } from "../contributions.ts";
import { watchFile } from "../watch-file.ts";
import { pageFolder, styleSource } from "../webview-page.ts";
import { readContents } from "./read-contents.ts";
import { type DebugRecording, recordingHtml } from "./recording-html.ts";

class RecordingEditor implements CustomReadonlyEditorProvider {
  private readonly extension: Uri;

  constructor(extension: Uri) {
    this.extension = extension;
  }

  openCustomDocument(uri: Uri): CustomDocument {
    return { uri, dispose() {} };
  }

  async resolveCustomEditor({ uri }: CustomDocument, panel: WebviewPanel): Promise<void> {
    const { extension } = this;
    const { webview } = panel;
    webview.options = {
      enableCommandUris: [COMMANDS.debugRecording],
      localResourceRoots: [pageFolder(extension)],
    };
    const program = Uri.joinPath(extension, "dist", "adapter.cjs").fsPath;
    const sources = styleSource(webview, extension, "recording-page");
    let reads = 0;
    const read = async (): Promise<void> => {
      const own = ++reads;
      const described = await readContents(program, uri.fsPath);
      // It may have been written again, or closed, meanwhile.
      if (own === reads) webview.html = recordingHtml(sources, uri.fsPath, described);
    };
    const file = watchFile(uri);
    file.onDidCreate(read);
    file.onDidChange(read);
    panel.onDidDispose(() => {
      reads++;
      file.dispose();
    });
    webview.html = recordingHtml(sources, uri.fsPath, undefined);
    await read();
  }
}

/** The explorer gives the file, the document's buttons say from where too, the palette nothing. */
async function debugRecording(subject: Uri | DebugRecording | undefined): Promise<void> {
  const chosen = subject ?? (await askRecording());
  if (chosen === undefined) return;
  const { recording, at }: DebugRecording =
    chosen instanceof Uri ? { recording: chosen.fsPath, at: "end" } : chosen;
  const folder =
    workspace.getWorkspaceFolder(Uri.file(recording)) ?? workspace.workspaceFolders?.[0];
  const name = recording.replace(/.*[/\\]/, "");
  await debug.startDebugging(folder, {
    ...{ type: DEBUG_TYPE, request: "attach", name, recording, at },
  });
}

async function askRecording(): Promise<Uri | undefined> {
  const filters = { "MinVisor recordings": ["mvrec"] };
  const [chosen] = (await window.showOpenDialog({ title: "Debug a recording", filters })) ?? [];
  return chosen;
}

export function registerRecordings(extension: Uri): Disposable {
  return Disposable.from(
    window.registerCustomEditorProvider(EDITORS.recording, new RecordingEditor(extension)),
    registerCommand(COMMANDS.debugRecording, debugRecording),
  );
}
