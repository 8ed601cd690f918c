/** Progress of work that takes long, as DAP's progress events; the client may cancel it. */
import type { DebugProtocol } from "./protocol.ts";
import { UserError } from "./text.ts";

export interface ProgressEvents {
  started(body: DebugProtocol.ProgressStartEvent["body"]): void;
  reported(body: DebugProtocol.ProgressUpdateEvent["body"]): void;
  ended(body: DebugProtocol.ProgressEndEvent["body"]): void;
}

/** The client asked for the end of what was under way. */
export class CancelledError extends UserError {
  constructor() {
    super("cancelled");
  }
}

/** One piece of work, which tells what it does next. */
export interface Task {
  /**
   * Lets messages come in; rejects with a CancelledError if the client has cancelled the work.
   * `percentage` is from 0 to 100, if known.
   */
  report(message: string, percentage?: number): Promise<void>;
}

export class Progress {
  private readonly events: ProgressEvents;
  private readonly turn: () => Promise<void>;
  private readonly cancelled = new Set<string>();
  private readonly running = new Set<string>();
  private next = 1;
  /** Whether the client draws progress; without it work is done silently. */
  isShown = false;

  /** `turn` resolves after the messages that wait were handled. */
  constructor(events: ProgressEvents, turn: () => Promise<void>) {
    this.events = events;
    this.turn = turn;
  }

  /** False if nothing of that name is under way. */
  cancel(progressId: string): boolean {
    if (!this.running.has(progressId)) return false;
    this.cancelled.add(progressId);
    return true;
  }

  /** Tells the client of `work` from its start to its end, however it ends. */
  async during<T>(title: string, work: (task: Task) => Promise<T>): Promise<T> {
    const progressId = `progress-${this.next++}`;
    this.running.add(progressId);
    if (this.isShown) this.events.started({ progressId, title, cancellable: true });
    const report = async (message: string, percentage?: number): Promise<void> => {
      await this.turn();
      if (this.cancelled.has(progressId)) throw new CancelledError();
      const share = percentage === undefined ? {} : { percentage };
      if (this.isShown) this.events.reported({ progressId, message, ...share });
    };
    try {
      return await work({ report });
    } finally {
      this.running.delete(progressId);
      this.cancelled.delete(progressId);
      if (this.isShown) this.events.ended({ progressId });
    }
  }
}
