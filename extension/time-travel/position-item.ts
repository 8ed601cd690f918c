/** The position of the machine in front, as an item of the status bar. */
import {
  commands,
  type DebugSession,
  Disposable,
  debug,
  StatusBarAlignment,
  ThemeColor,
  window,
} from "vscode";
import { COMMANDS, CONTEXT_KEYS, DEBUG_TYPE } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";
import { type Position, positionHint, positionText } from "./position.ts";

/** Steps are over sooner than this: only what takes longer is shown as running. */
const RUNNING_AFTER_MS = 300;

async function positionOf(session: DebugSession): Promise<Position | undefined> {
  try {
    const [{ world }, timeline] = await Promise.all([
      customRequest(session, "minvisor/status", {}),
      customRequest(session, "minvisor/timeline", {}),
    ]);
    return { world, timeline };
  } catch {
    // It runs again, or has ended.
    return undefined;
  }
}

export class PositionItem {
  /** Of sessions that stand still. */
  private readonly positions = new Map<string, Position>();
  private readonly item = window.createStatusBarItem("minvisor.position", StatusBarAlignment.Left);
  private readonly subscriptions: Disposable;

  constructor() {
    this.item.name = "MinVisor Position";
    this.subscriptions = Disposable.from(
      this.item,
      debug.onDidChangeActiveDebugSession(() => this.show()),
      onSessionEvents({
        stopped: (session) => void this.refresh(session),
        resumed: (session) => this.forget(session),
        ended: (session) => this.forget(session),
      }),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  async refresh(session: DebugSession): Promise<void> {
    const position = await positionOf(session);
    if (position === undefined) return;
    this.positions.set(session.id, position);
    this.show();
  }

  private forget({ id }: DebugSession): void {
    this.positions.delete(id);
    setTimeout(() => this.show(), RUNNING_AFTER_MS);
  }

  private show(): void {
    const session = debug.activeDebugSession;
    const position = session && this.positions.get(session.id);
    const isInPast = position?.timeline.isInPast ?? false;
    void commands.executeCommand("setContext", CONTEXT_KEYS.isInPast, isInPast);
    if (session?.type !== DEBUG_TYPE) {
      this.item.hide();
      return;
    }
    const { item } = this;
    item.text = position
      ? `$(${isInPast ? "history" : "vm"}) ${positionText(position)}`
      : "$(vm-running) running";
    item.tooltip = position && positionHint(position);
    item.backgroundColor = isInPast ? new ThemeColor("statusBarItem.warningBackground") : undefined;
    item.command = position && (isInPast ? COMMANDS.goToEnd : COMMANDS.goToExit);
    item.show();
  }
}
