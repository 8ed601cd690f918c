/** Requests about the futures that changes of the past left. */
import { exitsUpTo, type Future, inputInWords, type Timeline } from "../../emulator/index.ts";
import { stoppedIn } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import type { FutureBody } from "../protocol.ts";
import { UserError } from "../text.ts";
import { compareFutures, tableOf } from "../time-travel/compare-futures.ts";
import { inquire } from "../time-travel/inquiry.ts";
import { bounded } from "./memory.ts";
import { recordedIn } from "./recorded.ts";
import type { Handlers } from "./types.ts";

const MOST_ROWS = 1_000;

/** Throws a UserError where there is none of that number. */
export function futureOf({ futures }: Timeline, number: number): Future {
  const found = futures.find((each) => each.number === number);
  if (found !== undefined) return found;
  const numbers = futures.map((each) => each.number).join(", ");
  throw new UserError(`There is no future ${number}: the recording has ${numbers}.`);
}

function futureBody(debuggee: Debuggee, timeline: Timeline, future: Future): FutureBody {
  const { number, fork, end, inputs } = future;
  const table = tableOf(debuggee, timeline, number);
  const change = fork && inputs[fork.inputs]?.input;
  return {
    number,
    isCurrent: number === timeline.future,
    ...(fork === undefined
      ? {}
      : {
          fork: {
            from: fork.from,
            icount: fork.at.icount,
            exit: table === undefined ? 0 : exitsUpTo(table, fork.at),
            change: change === undefined ? "" : inputInWords(change),
          },
        }),
    endIcount: end.icount,
    exits: table?.extent ?? 0,
  };
}

export const futureRequests: Handlers<"minvisor/futures" | "minvisor/compareFutures"> = {
  "minvisor/futures": (context) => {
    const { debuggee, timeline } = recordedIn(context);
    return { futures: timeline.futures.map((each) => futureBody(debuggee, timeline, each)) };
  },

  "minvisor/compareFutures": (context, args) => {
    const { debuggee, timeline } = recordedIn(context);
    const invariants = () => stoppedIn(context).invariants.status();
    const [a, b] = [futureOf(timeline, args.a), futureOf(timeline, args.b)];
    if (a.number === b.number) {
      throw new UserError(`Future ${a.number} cannot be compared with itself: name two.`);
    }
    const count = bounded(args.count ?? 20, "count", 0, MOST_ROWS);
    const compared = { debuggee, timeline, invariants, count };
    const title = `Comparing futures ${a.number} and ${b.number}`;
    return inquire(context, timeline, title, compareFutures(compared, a, b));
  },
};
