/** Copies MinVisor, its guest and its seeded bugs into a folder of the developer's and opens it. */
import { commands, type Disposable, FileSystemError, Uri, window, workspace } from "vscode";
import { registerCommand } from "./commands.ts";
import { COMMANDS } from "./contributions.ts";

const PARTS = [
  "samples",
  "minvisor",
  "test/guests",
  "test/seeded-bugs",
  "scripts/build-minvisor.mjs",
];
const FOLDER_NAME = "minvisor-sample";

async function exists(uri: Uri): Promise<boolean> {
  try {
    await workspace.fs.stat(uri);
    return true;
  } catch (error) {
    if (error instanceof FileSystemError) return false;
    throw error;
  }
}

async function openSampleWorkspace(extension: Uri): Promise<void> {
  const [parent] =
    (await window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      openLabel: "Put the sample here",
    })) ?? [];
  if (!parent) return;
  const target = Uri.joinPath(parent, FOLDER_NAME);
  if (!(await exists(target)))
    for (const part of PARTS)
      await workspace.fs.copy(Uri.joinPath(extension, part), Uri.joinPath(target, part));
  const file = Uri.joinPath(target, "samples", "minvisor.code-workspace");
  await commands.executeCommand("vscode.openFolder", file, { forceNewWindow: true });
}

export function registerSampleWorkspace(extension: Uri): Disposable {
  return registerCommand(COMMANDS.openSampleWorkspace, () => openSampleWorkspace(extension));
}
