// A reporter of vitest: says now and then which test files have been running for long.

const SLOW_MINUTES = 2;
const EVERY = 60_000;

/** A file that never gives control back is in no other report: this one names it. */
export default class LongRunningReporter {
  #running = new Map();
  #timer;

  onTestRunStart() {
    this.#timer = setInterval(() => this.#tell(), EVERY);
    this.#timer.unref();
  }

  onTestRunEnd() {
    clearInterval(this.#timer);
  }

  onTestModuleStart({ relativeModuleId }) {
    this.#running.set(relativeModuleId, Date.now());
  }

  onTestModuleEnd({ relativeModuleId }) {
    this.#running.delete(relativeModuleId);
  }

  #tell() {
    for (const [name, since] of this.#running) {
      const minutes = Math.floor((Date.now() - since) / 60_000);
      if (minutes >= SLOW_MINUTES) console.log(`still running after ${minutes} min: ${name}`);
    }
  }
}
