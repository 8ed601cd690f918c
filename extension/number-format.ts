/** "Toggle Hexadecimal Numbers": how a session shows numbers. */
import { type Disposable, window } from "vscode";
import type { NumberFormat } from "../debug-adapter/protocol.ts";
import { registerCommand } from "./commands.ts";
import { COMMANDS } from "./contributions.ts";
import { activeSession } from "./references.ts";
import { customRequest } from "./session.ts";

export function registerNumberFormat(): Disposable {
  /** Formats of sessions that are not in their first, hexadecimal. */
  const formats = new Map<string, NumberFormat>();
  return registerCommand(COMMANDS.toggleHexadecimal, async () => {
    const session = activeSession();
    if (!session) return;
    const format = formats.get(session.id) === "decimal" ? "hexadecimal" : "decimal";
    await customRequest(session, "minvisor/setNumberFormat", { format });
    formats.set(session.id, format);
    window.setStatusBarMessage(`Numbers are ${format}`, 3000);
  });
}
