/** Registers commands by the ids that package.json contributes, and no others. */
import { commands, type Disposable } from "vscode";
import type { CommandId } from "./contributions.ts";

/** `run` is given what a menu's command is about; the palette gives nothing. */
export function registerCommand<Subject>(
  id: CommandId,
  run: (subject?: Subject) => unknown,
): Disposable {
  return commands.registerCommand(id, run);
}
