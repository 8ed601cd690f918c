/** The view "VM Exits" of the debug sidebar: every exit of the recording in front; a click goes there. */
import {
  type DebugSession,
  Disposable,
  debug,
  EventEmitter,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  window,
} from "vscode";
import { COMMANDS, DEBUG_TYPE, VIEWS } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";
import { type Row, rowsOf, textOf } from "./exit-rows.ts";

class ExitsView implements TreeDataProvider<Row> {
  private readonly changedRows = new EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changedRows.event;
  /** Number of the last exit before the instant at which the machine stands. */
  private here = 0;

  async getChildren(parent?: Row): Promise<Row[]> {
    const session = debug.activeDebugSession;
    if (session?.type !== DEBUG_TYPE) return [];
    try {
      return await rowsOf((args) => customRequest(session, "minvisor/exitLedger", args), parent);
    } catch {
      // No machine is there yet, or none any more.
      return [];
    }
  }

  getTreeItem(row: Row): TreeItem {
    const { id, label, description, tooltip } = textOf(row);
    const isExit = row.kind === "exit";
    const { Collapsed, None } = TreeItemCollapsibleState;
    const item = new TreeItem(label, isExit ? None : Collapsed);
    item.id = id;
    item.description = description;
    if (tooltip !== undefined) item.tooltip = tooltip;
    if (!isExit) return item;
    const { number } = row.exit;
    if (number === this.here) item.iconPath = new ThemeIcon("debug-stackframe");
    item.command = { command: COMMANDS.goToExit, title: "Go to Exit", arguments: [{ number }] };
    return item;
  }

  private readonly refresh = (): void => this.changedRows.fire(undefined);

  private async stopped(session: DebugSession): Promise<void> {
    try {
      this.here = (await customRequest(session, "minvisor/timeline", {})).exit;
    } catch {
      this.here = 0;
    }
    this.refresh();
  }

  register(): Disposable {
    return Disposable.from(
      window.createTreeView(VIEWS.exits, { treeDataProvider: this, showCollapseAll: true }),
      debug.onDidChangeActiveDebugSession(this.refresh),
      onSessionEvents({
        stopped: (session) => void this.stopped(session),
        ended: this.refresh,
      }),
    );
  }
}

export function registerExits(): Disposable {
  return new ExitsView().register();
}
