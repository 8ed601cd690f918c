/** Registers commands by the ids that package.json contributes, and no others. */
import { commands, type Disposable } from "vscode";
import type { CommandId } from "./contributions.ts";

export function registerCommand(id: CommandId, run: () => unknown): Disposable {
  return commands.registerCommand(id, run);
}
