/** Questions to the past whose answer is a response: the machine ends where it was. */
import type { SeekProgress, Timeline } from "../../emulator/index.ts";
import type { Context } from "../context.ts";

/** Goes through the past, a piece at a time, to an answer. */
export type Inquiry<T> = Generator<SeekProgress, T>;

const SLICE_MS = 20;

/** The client sees progress and may cancel, which ends where the machine was too. */
export function inquire<T>(
  { progress, services }: Context,
  timeline: Timeline,
  title: string,
  inquiry: Inquiry<T>,
): Promise<T> {
  const home = timeline.machine.instant;
  return progress.during(title, async ({ report }) => {
    let deadline = services.now() + SLICE_MS;
    try {
      for (;;) {
        const { done, value } = inquiry.next();
        if (done) return value;
        if (services.now() < deadline) continue;
        await report(`icount ${timeline.machine.icount.toLocaleString("en-US")}`);
        deadline = services.now() + SLICE_MS;
      }
    } finally {
      for (const _ of timeline.seek(home)) await undefined;
    }
  });
}
