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
  const { future, machine } = timeline;
  const home = machine.instant;
  return progress.during(title, async ({ report }) => {
    let deadline = services.now() + SLICE_MS;
    const go = async <R>(steps: Generator<SeekProgress, R>): Promise<R> => {
      for (;;) {
        const { done, value } = steps.next();
        if (done) return value;
        if (services.now() < deadline) continue;
        await report(`icount ${machine.icount.toLocaleString("en-US")}`);
        deadline = services.now() + SLICE_MS;
      }
    };
    try {
      const answer = await go(inquiry);
      await go(timeline.seek(home, future));
      return answer;
    } finally {
      // What it observes with must not stay where the client has cancelled.
      inquiry.return(undefined as never);
      for (const _ of timeline.seek(home, future)) await undefined;
    }
  });
}
