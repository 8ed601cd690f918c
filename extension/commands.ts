/** Registers commands by the ids that package.json contributes, and no others. */
import { commands, type Disposable, window } from "vscode";
import type { CommandId } from "./contributions.ts";

/** `run` is given what a menu's command is about; the palette gives nothing. */
export function registerCommand<Subject>(
  id: CommandId,
  run: (subject?: Subject) => unknown,
): Disposable {
  return commands.registerCommand(id, run);
}

/** What goes wrong is told to the user. */
export async function orTell(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (caught) {
    void window.showErrorMessage((caught as Error).message);
  }
}
