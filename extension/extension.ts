/** The extension's entry: activation is a list of registrations. */
import type { ExtensionContext } from "vscode";
import { registerAdapter } from "./adapter-factory.ts";
import { registerDiagnostics } from "./diagnostics.ts";
import { registerGuestConsole } from "./guest-console.ts";
import { registerLaunchConfigurations } from "./launch-configuration.ts";
import { registerSampleWorkspace } from "./sample-workspace.ts";

export function activate(context: ExtensionContext): void {
  context.subscriptions.push(
    registerAdapter(context.extensionUri),
    registerLaunchConfigurations(context.extensionUri),
    registerGuestConsole(),
    registerDiagnostics(),
    registerSampleWorkspace(context.extensionUri),
  );
}
