/** Starts the language server of .inv files when the first of them is opened. */
import { type Disposable, type ExtensionContext, type TextDocument, Uri, workspace } from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { INVARIANT_LANGUAGE } from "../contributions.ts";

export function registerInvariantLanguage({ extensionUri }: ExtensionContext): Disposable {
  const module = Uri.joinPath(extensionUri, "dist", "invariants-server.cjs").fsPath;
  const run = { module, transport: TransportKind.ipc };
  const program = workspace.getConfiguration("minvisor").get<string>("invariants.program", "");
  const client = new LanguageClient(
    "minvisor.invariants",
    "Invariants",
    { run, debug: run },
    {
      documentSelector: [{ language: INVARIANT_LANGUAGE }],
      initializationOptions: { program: program === "" ? undefined : absolute(program) },
    },
  );
  let isStarted = false;
  const start = ({ languageId }: TextDocument): void => {
    if (languageId !== INVARIANT_LANGUAGE || isStarted) return;
    isStarted = true;
    void client.start();
  };
  workspace.textDocuments.forEach(start);
  const opened = workspace.onDidOpenTextDocument(start);
  return {
    dispose: () => {
      opened.dispose();
      if (isStarted) void client.stop();
    },
  };
}

/** From the first workspace folder, where it is relative. */
function absolute(path: string): string {
  const folder = workspace.workspaceFolders?.[0]?.uri;
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path) || folder === undefined) return path;
  return Uri.joinPath(folder, path).fsPath;
}
