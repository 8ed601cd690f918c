/** Launch configurations: those offered without a launch.json, and defaults for those given. */
import {
  type DebugConfiguration,
  type DebugConfigurationProvider,
  DebugConfigurationProviderTriggerKind,
  Disposable,
  debug,
  type Uri,
  type WorkspaceFolder,
  window,
} from "vscode";
import { registerCommand } from "./commands.ts";
import { completeConfiguration } from "./complete-configuration.ts";
import { COMMANDS, DEBUG_TYPE } from "./contributions.ts";
import { sampleConfiguration, templateConfiguration } from "./sample-configurations.ts";

function resolveConfiguration(
  root: string,
  folder: WorkspaceFolder | undefined,
  given: DebugConfiguration,
): DebugConfiguration | undefined | null {
  const completed = completeConfiguration(given, root, folder?.uri.fsPath);
  if (completed) return completed;
  void window.showErrorMessage(
    given.request === "launch"
      ? `Launch configuration "${given.name}": "kernel" must name a multiboot image or a bzImage.`
      : `Launch configuration "${given.name}": "request" must be "launch" or "attach"; it is "${given.request}".`,
  );
  return null; // opens the configuration
}

export function registerLaunchConfigurations(extension: Uri): Disposable {
  const root = extension.fsPath;
  const initial: DebugConfigurationProvider = {
    provideDebugConfigurations: () => [sampleConfiguration(root), templateConfiguration()],
    resolveDebugConfiguration: (folder, given) => resolveConfiguration(root, folder, given),
  };
  const dynamic: DebugConfigurationProvider = {
    provideDebugConfigurations: () => [sampleConfiguration(root)],
  };
  return Disposable.from(
    debug.registerDebugConfigurationProvider(DEBUG_TYPE, initial),
    debug.registerDebugConfigurationProvider(
      DEBUG_TYPE,
      dynamic,
      DebugConfigurationProviderTriggerKind.Dynamic,
    ),
    registerCommand(COMMANDS.debugSample, () =>
      debug.startDebugging(undefined, sampleConfiguration(root)),
    ),
  );
}
