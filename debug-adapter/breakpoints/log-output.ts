/** Log messages of breakpoints, batched and limited so that they never flood the client's console. */
import { OutputPace } from "../console/output-pace.ts";
import type { Services } from "../services.ts";

/** At most 50 output events a second, and fewer where the guest prints too. */
const BATCH_MS = 20;
const WINDOW_MS = 1000;
const LINES_A_WINDOW = 500;

export class LogOutput {
  private readonly services: () => Pick<Services, "now" | "schedule">;
  private readonly output: (text: string) => void;
  private readonly pace: OutputPace;
  private lines: string[] = [];
  private windowStart = Number.NEGATIVE_INFINITY;
  private inWindow = 0;
  private suppressed = 0;
  private sentAt = Number.NEGATIVE_INFINITY;
  private cancel: (() => void) | undefined;

  constructor(
    services: () => Pick<Services, "now" | "schedule">,
    output: (text: string) => void,
    pace = new OutputPace(services),
  ) {
    this.services = services;
    this.pace = pace;
    this.output = output;
  }

  add(line: string): void {
    const now = this.services().now();
    if (now - this.windowStart >= WINDOW_MS) {
      this.tellSuppressed();
      this.windowStart = now;
      this.inWindow = 0;
    }
    if (this.inWindow < LINES_A_WINDOW) {
      this.inWindow++;
      this.lines.push(line);
      this.schedule(Math.max(0, this.sentAt + BATCH_MS - now));
    } else {
      this.suppressed++;
      this.schedule(Math.max(0, this.windowStart + WINDOW_MS - now));
    }
  }

  /** Sends what waits, because the machine stops; later where that would be too often. */
  flush(): void {
    if (this.pace.wait(1) === 0) this.flushAll();
  }

  /** Sends what waits in any case: the machine ends. */
  flushAll(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.tellSuppressed();
    this.send();
  }

  private tellSuppressed(): void {
    if (this.suppressed === 0) return;
    this.lines.push(
      `${this.suppressed} log messages suppressed: more than ${LINES_A_WINDOW} in a second.`,
    );
    this.suppressed = 0;
  }

  private schedule(delayMs: number): void {
    if (this.cancel !== undefined) return;
    this.cancel = this.services().schedule(() => {
      this.cancel = undefined;
      const wait = this.pace.wait(1);
      if (wait > 0) {
        this.schedule(wait);
        return;
      }
      const now = this.services().now();
      if (now - this.windowStart >= WINDOW_MS) this.tellSuppressed();
      this.send();
      if (this.suppressed > 0) this.schedule(Math.max(0, this.windowStart + WINDOW_MS - now));
    }, delayMs);
  }

  private send(): void {
    if (this.lines.length === 0) return;
    const text = this.lines.map((line) => `${line}\n`).join("");
    this.lines = [];
    this.sentAt = this.services().now();
    this.pace.note();
    this.output(text);
  }
}
