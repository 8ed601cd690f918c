/** Looks at something that goes on by itself, again and again, while it does. */

/** Calls back later; what is returned takes that back. */
export type Schedule = (callback: () => void) => () => void;

export class RunningLook {
  private readonly look: () => Promise<void>;
  private readonly schedule: Schedule;
  private cancel: (() => void) | undefined;
  private isRunning = false;
  private isLooking = false;

  constructor(look: () => Promise<void>, schedule: Schedule) {
    this.look = look;
    this.schedule = schedule;
  }

  /** What has just begun to run is not looked at at once: most runs are over sooner. */
  become(isRunning: boolean): void {
    this.isRunning = isRunning;
    this.cancel?.();
    this.cancel = undefined;
    this.wait();
  }

  private wait(): void {
    // One look at a time: the next comes when the last has seen something.
    if (!this.isRunning || this.isLooking) return;
    this.cancel = this.schedule(() => void this.lookNow());
  }

  private async lookNow(): Promise<void> {
    this.cancel = undefined;
    this.isLooking = true;
    try {
      await this.look();
    } finally {
      this.isLooking = false;
      this.wait();
    }
  }
}
