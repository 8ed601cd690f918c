/** Questions to the past whose answer is a response: the machine ends where it was. */
import type { SeekProgress, Timeline } from "../../emulator/index.ts";
import type { Context } from "../context.ts";
import type { Task } from "../progress.ts";

/** Goes through the past, a piece at a time, to an answer. */
export type Inquiry<T> = Generator<SeekProgress, T>;

const SLICE_MS = 20;

/** Goes on between messages, and tells where it is. Rejects as the task does. */
async function taken<T>({ services }: Context, { report }: Task, steps: Inquiry<T>): Promise<T> {
  for (let deadline = services.now() + SLICE_MS; ; ) {
    const { done, value } = steps.next();
    if (done) return value;
    if (services.now() < deadline) continue;
    await report(`icount ${value.icount.toLocaleString("en-US")}`);
    deadline = services.now() + SLICE_MS;
  }
}

/** On a machine of the inquiry's own. The client sees progress and may cancel. */
export function inquireAside<T>(context: Context, title: string, inquiry: Inquiry<T>): Promise<T> {
  return context.progress.during(title, async (task) => {
    try {
      return await taken(context, task, inquiry);
    } finally {
      inquiry.return(undefined as never);
    }
  });
}

/** The client sees progress and may cancel, which ends where the machine was too. */
export function inquire<T>(
  context: Context,
  timeline: Timeline,
  title: string,
  inquiry: Inquiry<T>,
): Promise<T> {
  const { future, machine } = timeline;
  const home = machine.instant;
  return context.progress.during(title, async (task) => {
    try {
      const answer = await taken(context, task, inquiry);
      await taken(context, task, timeline.seek(home, future));
      return answer;
    } finally {
      // What it observes with must not stay where the client has cancelled.
      inquiry.return(undefined as never);
      for (const _ of timeline.seek(home, future)) await undefined;
    }
  });
}
