/** How often the client's console is written to: it slows down where it gets too many events. */
import type { Services } from "../services.ts";

const MOST_EVENTS = 60;
const WINDOW_MS = 1000;

/** Shared by all that send text in batches; what is said once and rarely need not ask. */
export class OutputPace {
  private readonly services: () => Pick<Services, "now">;
  /** When the last events went, the oldest first. */
  private readonly sent: number[] = [];

  constructor(services: () => Pick<Services, "now">) {
    this.services = services;
  }

  /** Milliseconds until `events` more may be sent. */
  wait(events: number): number {
    const now = this.services().now();
    const oldest = this.sent[this.sent.length + events - 1 - MOST_EVENTS];
    return oldest === undefined ? 0 : Math.max(0, oldest + WINDOW_MS - now);
  }

  note(): void {
    this.sent.push(this.services().now());
    if (this.sent.length > MOST_EVENTS) this.sent.shift();
  }
}
