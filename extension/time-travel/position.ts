/** Where a machine stands in its recording, in the words of the status bar. */
import type { MachineStatus, TimelineBody } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";

export interface Position {
  readonly world: MachineStatus["world"];
  readonly timeline: TimelineBody;
}

function exitText({ isInPast, exit, exits }: TimelineBody): string {
  if (exit === 0) return "before the first exit";
  return `exit ${counted(exit)}${isInPast ? ` of ${counted(exits)}` : ""}`;
}

export function positionText({ world, timeline }: Position): string {
  const { isInPast, icount } = timeline;
  const parts = [world, exitText(timeline), `icount ${counted(icount)}`];
  if (isInPast) parts.push("in the past");
  if (timeline.futures > 1) parts.push(`future ${timeline.future} of ${timeline.futures}`);
  return parts.join(" · ");
}

/** What stands behind the position, and what a click does. */
export function positionHint({ timeline }: Position): string {
  const { isRecording, isInPast, endIcount, exits } = timeline;
  if (!isRecording)
    return 'This session does not record: "recording" is false in its launch configuration.';
  if (!isInPast) return "At the end of the recording; click to go to an exit";
  return `The recording ends at icount ${counted(endIcount)}, after exit ${counted(exits)}; click to go there`;
}
