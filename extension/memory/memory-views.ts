/** "View Memory at Address": the hex editor where it is installed, else views of our own. */
import { commands, type DebugSession, Disposable, extensions, type Uri } from "vscode";
import { registerCommand } from "../commands.ts";
import { COMMANDS } from "../contributions.ts";
import { type VariableSubject, withReference } from "../references.ts";
import { onSessionEvents } from "../session-events.ts";
import { parsePlace } from "./address.ts";
import { MemoryPanel } from "./memory-panel.ts";

const HEX_EDITOR = "ms-vscode.hexeditor";
/** VS Code's own command, which opens the hex editor at a reference. */
const VIEW_MEMORY = "workbench.debug.viewlet.action.viewMemory";

export function registerMemoryViews(extension: Uri): Disposable {
  const panels = new Set<MemoryPanel>();
  const each = (tell: (panel: MemoryPanel, session: DebugSession) => void) => {
    return (session: DebugSession) => {
      for (const panel of panels) tell(panel, session);
    };
  };

  const open = (session: DebugSession, memoryReference: string): unknown => {
    if (extensions.getExtension(HEX_EDITOR))
      return commands.executeCommand(VIEW_MEMORY, {
        sessionId: session.id,
        variable: { memoryReference },
      });
    const place = parsePlace(memoryReference);
    if (place === undefined) return undefined;
    const panel = new MemoryPanel(extension, session, place, () => panels.delete(panel));
    return panels.add(panel);
  };

  return Disposable.from(
    registerCommand<VariableSubject>(COMMANDS.viewMemory, (subject) =>
      withReference("View Memory at Address", subject, open),
    ),
    onSessionEvents({
      initialized: each((panel, session) => panel.joins(session)),
      stopped: each((panel, session) => panel.stopped(session)),
      resumed: each((panel, session) => panel.resumed(session)),
      ended: each((panel, session) => panel.ended(session)),
      memory: each((panel, session) => panel.changed(session)),
    }),
    new Disposable(() => {
      for (const panel of panels) panel.dispose();
    }),
  );
}
