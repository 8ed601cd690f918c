/** The extension's entry: activation is a list of registrations. */
import type { ExtensionContext } from "vscode";
import { registerAdapter } from "./adapter-factory.ts";
import { registerAddressDocuments } from "./address-documents.ts";
import { registerDiagnostics } from "./diagnostics.ts";
import { registerExitBreakpoints } from "./exit-breakpoints/exit-breakpoints-view.ts";
import { registerExits } from "./exits/exits-view.ts";
import { registerGuestConsole } from "./guest-console.ts";
import { registerInvariantLanguage } from "./invariants/language-client.ts";
import { registerRecheck } from "./invariants/recheck.ts";
import { registerLaunchConfigurations } from "./launch-configuration.ts";
import { registerMemoryViews } from "./memory/memory-views.ts";
import { registerNumberFormat } from "./number-format.ts";
import { registerRecordings } from "./recordings/recordings.ts";
import { registerSampleWorkspace } from "./sample-workspace.ts";
import { registerStepPolicy } from "./step-policy.ts";
import { registerTimeTravel } from "./time-travel/time-travel.ts";

export function activate(context: ExtensionContext): void {
  context.subscriptions.push(
    registerAdapter(context.extensionUri),
    registerLaunchConfigurations(context.extensionUri),
    registerGuestConsole(),
    registerDiagnostics(),
    registerSampleWorkspace(context.extensionUri),
    registerExitBreakpoints(context.workspaceState),
    registerMemoryViews(context.extensionUri),
    registerAddressDocuments(),
    registerNumberFormat(),
    registerStepPolicy(),
    registerTimeTravel(),
    registerExits(context.extensionUri),
    registerRecordings(context.extensionUri),
    registerInvariantLanguage(context),
    registerRecheck(),
  );
}
