/** The extension's entry: activation is a list of registrations. */
import type { ExtensionContext } from "vscode";
import { registerAdapter } from "./adapter-factory.ts";
import { registerAddressDocuments } from "./address-documents.ts";
import { registerExitBreakpoints } from "./exit-breakpoints/exit-breakpoints-view.ts";
import { registerExits } from "./exits/exits-view.ts";
import { registerGuestConsole } from "./guest-console.ts";
import { registerInvariants } from "./invariants/invariants.ts";
import { registerLaunchConfigurations } from "./launch-configuration.ts";
import { registerMemoryViews } from "./memory/memory-views.ts";
import { registerNumberFormat } from "./number-format.ts";
import { ReadOnlyDocuments } from "./read-only-documents.ts";
import { registerRecordings } from "./recordings/recordings.ts";
import { registerSampleWorkspace } from "./sample-workspace.ts";
import { registerStepPolicy } from "./step-policy.ts";
import { registerTimeTravel } from "./time-travel/time-travel.ts";

export function activate(context: ExtensionContext): void {
  const documents = new ReadOnlyDocuments();
  context.subscriptions.push(
    documents,
    registerAdapter(context.extensionUri),
    registerLaunchConfigurations(context.extensionUri),
    registerGuestConsole(),
    registerSampleWorkspace(context.extensionUri),
    registerExitBreakpoints(context.workspaceState),
    registerMemoryViews(context.extensionUri),
    registerAddressDocuments(documents),
    registerNumberFormat(),
    registerStepPolicy(),
    registerTimeTravel(),
    registerExits(context.extensionUri),
    registerRecordings(context.extensionUri),
    registerInvariants(context, documents),
  );
}
