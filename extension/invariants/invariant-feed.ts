/** What sessions say of their invariants: the one in front, or the last that said something. */
import { type DebugSession, Disposable, debug, EventEmitter } from "vscode";
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { onCustomEvent } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";

export class InvariantFeed {
  /** By session; those of one that has ended stay until another begins. */
  private readonly said = new Map<string, readonly InvariantStatus[]>();
  private readonly ended = new Set<string>();
  private last = "";
  private readonly changed = new EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions: Disposable;

  constructor() {
    this.subscriptions = Disposable.from(
      this.changed,
      debug.onDidChangeActiveDebugSession(() => this.changed.fire()),
      onCustomEvent("minvisor/invariants", ({ invariants }, session) =>
        this.take(session, invariants),
      ),
      onSessionEvents({
        initialized: (session) => this.begin(session),
        restarted: (session) => this.take(session, []),
        ended: ({ id }) => this.ended.add(id),
      }),
    );
  }

  dispose(): void {
    this.subscriptions.dispose();
  }

  get statuses(): readonly InvariantStatus[] {
    const front = debug.activeDebugSession?.id ?? this.last;
    return this.of(this.said.has(front) ? front : this.last);
  }

  /** Of the session with that id. */
  of(session: string): readonly InvariantStatus[] {
    return this.said.get(session) ?? [];
  }

  /** What a session said, as an event or in an answer. */
  take({ id }: DebugSession, statuses: readonly InvariantStatus[]): void {
    this.last = id;
    this.said.set(id, statuses);
    this.changed.fire();
  }

  private begin(session: DebugSession): void {
    for (const id of this.ended) this.said.delete(id);
    this.ended.clear();
    this.take(session, []);
  }
}
