/** Connects each session to the window's adapter process, which speaks DAP on a pipe. */
import { DebugAdapterNamedPipeServer, Disposable, debug, Uri } from "vscode";
import { AdapterProcess } from "./adapter-process.ts";
import { DEBUG_TYPE } from "./contributions.ts";

export function registerAdapter(extension: Uri): Disposable {
  const adapter = new AdapterProcess(Uri.joinPath(extension, "dist", "adapter.cjs").fsPath);
  return Disposable.from(
    adapter,
    debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor: async () =>
        new DebugAdapterNamedPipeServer(await adapter.listening()),
    }),
  );
}
