/** The writes of a place before an instant: what it held, what then, and who did it. */
import type { Instant, Met, SeekProgress, Timeline } from "../../emulator/index.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import type { Hit } from "../breakpoints/breakpoint.ts";
import { dataTrigger } from "../breakpoints/data.ts";
import { presentBytesTrigger } from "../breakpoints/memory-watch.ts";
import { exitAsWriter, type Writer, writerOf } from "../breakpoints/writer.ts";
import type { Debuggee } from "../debuggee.ts";
import { placeName } from "../place-access.ts";
import type { HistoryBody, ValueWrite } from "../protocol.ts";
import { hex } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import type { Inquiry } from "./inquiry.ts";
import { type Arm, latestMet } from "./search.ts";

/** A write while the machine does it again. */
export interface Written {
  readonly hit: Hit;
  readonly row: Omit<ValueWrite, "icount" | "old" | "new">;
}

/**
 * Newest first; what wrote may have ended in the instant itself: an exit, or the step before. Of memory the
 * bytes that are behind the place now, whoever wrote them by whatever address.
 */
export function writesBefore(
  debuggee: Debuggee,
  timeline: Timeline,
  place: ValuePlace,
  before: Instant,
  limit: number,
  isWanted: (hit: Hit) => boolean = () => true,
): Generator<SeekProgress, Met<Written>[]> {
  const trigger =
    (place.kind === "memory" && presentBytesTrigger(debuggee, place, "write")) ||
    dataTrigger(place, "write");
  const arm: Arm<Written> = (meet) => {
    let last: (Written & { readonly icount: number }) | undefined;
    const { machine, exits } = debuggee;
    const releases = [
      // An exit at the instant of a write into its VMCB is what wrote.
      machine.observe({
        name: "writes",
        on: {
          exit: () => {
            if (!last?.hit.inVmcb || last.icount !== machine.icount || !exits.isAtExit)
              return undefined;
            return meet({ hit: last.hit, row: rowOf(debuggee, exitAsWriter(debuggee)) });
          },
        },
      }),
      trigger.arm(debuggee, (hit) => {
        if (!isWanted(hit)) return undefined;
        last = { hit, row: rowOf(debuggee, writerOf(debuggee, hit)), icount: machine.icount };
        return meet(last);
      }),
    ];
    return () => {
      for (const release of releases) release();
    };
  };
  return latestMet(timeline, before, arm, limit, true);
}

function rowOf({ images, machine }: Debuggee, { name, world, address }: Writer): Written["row"] {
  const row = { exit: machine.state.exitCount, world, writer: name };
  if (address === undefined) return row;
  const source = images.sourceAt(world, address);
  const kind = world === "host" ? "hva" : "gva";
  return {
    ...row,
    instructionReference: formatReference({ space: { kind }, address }),
    ...(source === undefined ? {} : { path: source.path, line: source.line }),
  };
}

/** The write as the protocol tells it. */
export function writeRow({ at, what }: Met<Written>): ValueWrite {
  const { old, new: now } = what.hit.fields;
  return {
    icount: at.icount,
    ...what.row,
    old: hex(BigInt(old ?? 0)),
    new: hex(BigInt(now ?? 0)),
  };
}

/** The values that a place had before now. Needs a place that can be watched. */
export function* history(
  debuggee: Debuggee,
  timeline: Timeline,
  place: ValuePlace,
  start: number,
  count: number,
): Inquiry<HistoryBody> {
  const name = placeName(place);
  const { instant } = debuggee.machine;
  const found = yield* writesBefore(debuggee, timeline, place, instant, start + count + 1);
  const writes = found.slice(start, start + count).map(writeRow);
  return { name, writes, hasMore: found.length > start + count };
}
