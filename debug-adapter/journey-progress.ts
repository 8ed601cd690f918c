/** Tells the client of a way through the past that takes long, and lets it call the machine back. */
import type { Undertaking } from "./progress.ts";

/** Shorter ways are no news. */
const PATIENCE_MS = 500;
const REPORT_MS = 100;

export class JourneyProgress {
  private readonly begin: () => Undertaking;
  private undertaking: Undertaking | undefined;
  private next: number;

  /** `begin` tells the client that it has begun. */
  constructor(now: number, begin: () => Undertaking) {
    this.begin = begin;
    this.next = now + PATIENCE_MS;
  }

  /** It is still under way. */
  goesOn(now: number, icount: number): void {
    if (now < this.next) return;
    this.next = now + REPORT_MS;
    this.undertaking ??= this.begin();
    this.undertaking.report(`icount ${icount.toLocaleString("en-US")}`);
  }

  end(): void {
    this.undertaking?.end();
  }
}
