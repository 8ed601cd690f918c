/** What a launch configuration becomes before VS Code starts it. */
import type { DebugConfiguration } from "vscode";
import { sampleConfiguration } from "./sample-configurations.ts";

/**
 * Completes a configuration: an empty one, which F5 without a launch.json gives, becomes the
 * sample; in another, relative paths are from the workspace folder; one that attaches to a machine is
 * as it is.
 * Undefined where it cannot run.
 */
export function completeConfiguration(
  given: DebugConfiguration,
  root: string,
  workspaceFolder: string | undefined,
): DebugConfiguration | undefined {
  if (!given.type && !given.request && !given.name) return sampleConfiguration(root);
  if (given.request === "attach" && typeof given.recording !== "string") return given;
  if (given.request === "attach") return withFolder(given, workspaceFolder);
  if (given.request !== "launch" || typeof given.kernel !== "string") return undefined;
  return withFolder(given, workspaceFolder);
}

const withFolder = (given: DebugConfiguration, folder: string | undefined): DebugConfiguration =>
  folder === undefined ? given : { cwd: folder, ...given };
