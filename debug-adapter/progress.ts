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

/** Something under way that the client was told of. */
export interface Undertaking {
  /** `percentage` is from 0 to 100, if known. */
  report(message: string, percentage?: number): void;
  end(): void;
}

export class Progress {
  private readonly events: ProgressEvents;
  private readonly turn: () => Promise<void>;
  /** By name, what is called where the client wants an end of it. */
  private readonly running = new Map<string, () => void>();
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
    const cancelled = this.running.get(progressId);
    cancelled?.();
    return cancelled !== undefined;
  }

  /** Tells the client that something has begun; `cancelled` is called where it wants an end of it. */
  begin(title: string, cancelled: () => void): Undertaking {
    const progressId = `progress-${this.next++}`;
    this.running.set(progressId, cancelled);
    if (this.isShown) this.events.started({ progressId, title, cancellable: true });
    return {
      report: (message, percentage) => {
        const share = percentage === undefined ? {} : { percentage };
        if (this.isShown) this.events.reported({ progressId, message, ...share });
      },
      end: () => {
        this.running.delete(progressId);
        if (this.isShown) this.events.ended({ progressId });
      },
    };
  }

  /** Tells the client of `work` from its start to its end, however it ends. */
  async during<T>(title: string, work: (task: Task) => Promise<T>): Promise<T> {
    let isCancelled = false;
    const undertaking = this.begin(title, () => {
      isCancelled = true;
    });
    const report = async (message: string, percentage?: number): Promise<void> => {
      await this.turn();
      if (isCancelled) throw new CancelledError();
      undertaking.report(message, percentage);
    };
    try {
      return await work({ report });
    } finally {
      undertaking.end();
    }
  }
}
