/** Starts the debug adapter as a process of its own, which speaks DAP on stdio. */
import { DebugAdapterExecutable, type Disposable, debug, Uri } from "vscode";
import { DEBUG_TYPE } from "./contributions.ts";

export function registerAdapter(extension: Uri): Disposable {
  const adapter = Uri.joinPath(extension, "dist", "adapter.cjs").fsPath;
  return debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
    createDebugAdapterDescriptor: () =>
      // On the desktop the extension host's own executable is Electron, which this turns into Node.
      new DebugAdapterExecutable(process.execPath, [adapter], {
        env: { ELECTRON_RUN_AS_NODE: "1" },
      }),
  });
}
