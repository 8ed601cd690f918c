/** The view "VM Exit Breakpoints" of the debug sidebar, and what it sends to each session. */
import {
  type DebugSession,
  Disposable,
  EventEmitter,
  type Memento,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCheckboxState,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import { registerCommand } from "../commands.ts";
import { COMMANDS, ROW_CONTEXTS, VIEWS } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";
import { type BreakpointText, EventBreakpoints } from "./event-breakpoints.ts";
import { type EventRow, eventRow, isExitEvent, type Row, rowsOf, textOf } from "./exit-tree.ts";

const STORAGE_KEY = "minvisor.eventBreakpoints";
const HINT = "Tick an exit to stop at it.";

function iconOf(row: Row, problem: string | undefined, isHit: boolean): ThemeIcon | undefined {
  if (problem !== undefined)
    return new ThemeIcon("warning", new ThemeColor("list.warningForeground"));
  if (isHit)
    return new ThemeIcon("debug-stackframe", new ThemeColor("debugIcon.breakpointForeground"));
  return row.kind === "group" ? new ThemeIcon("list-tree") : undefined;
}

class ExitBreakpointsView implements TreeDataProvider<Row> {
  private readonly breakpoints: EventBreakpoints;
  private readonly memento: Memento;
  private readonly changedRows = new EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changedRows.event;
  private readonly sessions = new Set<DebugSession>();
  private view: TreeView<Row> | undefined;

  constructor(memento: Memento) {
    this.memento = memento;
    this.breakpoints = new EventBreakpoints(memento.get(STORAGE_KEY), isExitEvent);
  }

  getChildren(row?: Row): Row[] {
    return [...rowsOf(this.breakpoints, row)];
  }

  getTreeItem(row: Row): TreeItem {
    const text = textOf(row, this.breakpoints);
    const isGroup = row.kind === "group";
    const item = new TreeItem(
      text.label,
      isGroup ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.None,
    );
    item.id = text.id;
    item.description = text.description;
    item.tooltip = text.tooltip;
    item.accessibilityInformation = { label: text.spoken };
    const icon = iconOf(row, text.problem, text.isHit);
    if (icon !== undefined) item.iconPath = icon;
    item.checkboxState = {
      state: text.checked ? TreeItemCheckboxState.Checked : TreeItemCheckboxState.Unchecked,
      tooltip: isGroup ? "Stop at all of them" : "Stop at it",
      accessibilityInformation: { label: `Stop at ${text.label}`, role: "checkbox" },
    };
    if (!isGroup) item.contextValue = row.exit ? ROW_CONTEXTS.exit : ROW_CONTEXTS.addedEvent;
    return item;
  }

  /** Shows the view and keeps every session told. */
  register(): Disposable {
    const view = window.createTreeView(VIEWS.exitBreakpoints, {
      treeDataProvider: this,
      manageCheckboxStateManually: true,
      showCollapseAll: true,
    });
    this.view = view;
    this.show();
    return Disposable.from(
      view,
      view.onDidChangeCheckboxState(({ items }) => {
        for (const [row, state] of items) this.tick(row, state === TreeItemCheckboxState.Checked);
        this.changed();
      }),
      this.followSessions(),
      registerCommand(COMMANDS.addEventBreakpoint, () => this.add()),
      registerCommand(COMMANDS.clearEventBreakpoints, () => {
        this.breakpoints.clear();
        this.changed();
      }),
      registerCommand<EventRow>(COMMANDS.removeEventBreakpoint, (row) => {
        if (row) this.breakpoints.remove(row.event);
        this.changed();
      }),
      ...EDITS.map(([command, text, prompt, placeHolder]) =>
        registerCommand<EventRow>(command, (row) => this.edit(row, text, prompt, placeHolder)),
      ),
    );
  }

  private followSessions(): Disposable {
    return onSessionEvents({
      initialized: (session) => {
        this.sessions.add(session);
        void this.send(session);
      },
      stopped: (_, { hitBreakpointIds }) => this.hit(hitBreakpointIds ?? []),
      resumed: () => this.hit([]),
      breakpoint: (_, breakpoint) => {
        if (this.breakpoints.changed(breakpoint)) this.show();
      },
      ended: (session) => {
        this.sessions.delete(session);
        if (this.sessions.size === 0) this.breakpoints.forgetAnswers();
        this.show();
      },
    });
  }

  private hit(ids: readonly number[]): void {
    const before = this.breakpoints.hitCount;
    this.breakpoints.hit(ids);
    if (before > 0 || this.breakpoints.hitCount > 0) this.show();
  }

  private tick(row: Row, enabled: boolean): void {
    const events = row.kind === "group" ? row.events : [row.event];
    for (const event of events) this.breakpoints.setEnabled(event, enabled);
  }

  private changed(): void {
    void this.memento.update(STORAGE_KEY, this.breakpoints.all);
    for (const session of this.sessions) void this.send(session);
    this.show();
  }

  private async send(session: DebugSession): Promise<void> {
    const breakpoints = this.breakpoints.enabled;
    try {
      const answer = await customRequest(session, "minvisor/setEventBreakpoints", { breakpoints });
      this.breakpoints.answered(breakpoints, answer.breakpoints);
    } catch (caught) {
      // A session that ends while it is told needs nothing more.
      if (this.sessions.has(session)) void window.showErrorMessage((caught as Error).message);
    }
    this.show();
  }

  private show(): void {
    this.changedRows.fire(undefined);
    if (this.view === undefined) return;
    this.view.message = this.breakpoints.enabled.length === 0 ? HINT : undefined;
  }

  private async add(): Promise<void> {
    const text = await window.showInputBox({
      title: "Add Event Breakpoint",
      prompt: 'An event of the machine, with "guest:" or "host:" in front for one world only',
      placeHolder:
        "vmrun, exception:PF, guest:exception:GP, irq:0x20, io:0x3f8:w, msr:EFER, vmexit:*",
    });
    const event = text?.trim() ?? "";
    if (event === "") return;
    this.breakpoints.setEnabled(event, true);
    this.changed();
  }

  private async edit(
    row: EventRow | undefined,
    text: BreakpointText,
    prompt: string,
    placeHolder: string,
  ): Promise<void> {
    const edited = row ?? this.selectedEvent();
    if (edited === undefined) return;
    const { label } = textOf(edited, this.breakpoints);
    const value = await window.showInputBox({
      title: `${label}: ${prompt}`,
      value: this.breakpoints.of(edited.event)[text] ?? "",
      prompt: "Leave it empty to remove it",
      placeHolder,
    });
    if (value === undefined) return;
    this.breakpoints.setText(edited.event, text, value);
    this.changed();
  }

  /** For a key binding, which has no row to give. */
  private selectedEvent(): EventRow | undefined {
    const row = this.view?.selection[0];
    return row?.kind === "event" ? eventRow(row.event) : undefined;
  }
}

const EDITS = [
  [
    COMMANDS.editEventCondition,
    "condition",
    "stop where this is true",
    "gpa >= 0x1000 && write, port == 0x3f8, $rip > 0x100000, vmcb.cpl == 3",
  ],
  [
    COMMANDS.editEventHitCount,
    "hitCondition",
    "stop by how often it was reached",
    "5 (the fifth time), > 100, % 1000",
  ],
  [
    COMMANDS.editEventLogMessage,
    "logMessage",
    "log this instead of stopping",
    "{reason} at {$rip}, {exitinfo1}",
  ],
] as const;

export function registerExitBreakpoints(memento: Memento): Disposable {
  return new ExitBreakpointsView(memento).register();
}
