/** Watches one file, wherever it lies. */
import { type FileSystemWatcher, RelativePattern, Uri, workspace } from "vscode";

export const watchFile = (file: Uri): FileSystemWatcher =>
  workspace.createFileSystemWatcher(
    new RelativePattern(Uri.joinPath(file, ".."), file.path.replace(/.*\//, "")),
  );
