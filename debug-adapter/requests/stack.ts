/** Requests for the call stack. */

import { formatReference } from "../addresses/memory-reference.ts";
import { type Context, checkThread, stoppedIn } from "../context.ts";
import { showIn } from "../format.ts";
import { spaceOf } from "../names.ts";
import type { CertainStackFrame, DebugProtocol as DP } from "../protocol.ts";
import { frameName } from "../stack/frame-name.ts";
import type { CodeFrame, Frame } from "../stack.ts";
import { UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

/** Frames count from 1. Throws a UserError for a frame that is no more. */
export function frameOf(context: Context, id: number): Frame {
  const frame = context.stack().at(id - 1);
  if (frame === undefined) throw new UserError(`There is no frame ${id} at this stop.`);
  return frame;
}

/** The frame of an id, or the innermost one. */
export function codeFrameOf(context: Context, id: number | undefined): CodeFrame | undefined {
  const frame = id === undefined ? context.stack().at(0) : frameOf(context, id);
  return frame?.kind === "code" ? frame : undefined;
}

function stackFrame(
  context: Context,
  frame: Frame,
  id: number,
  format: DP.StackFrameFormat | undefined,
): CertainStackFrame {
  const { debuggee } = stoppedIn(context);
  const { linesStartAt1, columnsStartAt1 } = context.client;
  const lineBase = linesStartAt1 ? 0 : 1;
  if (frame.kind === "label") {
    return {
      id,
      name: frame.name,
      line: 0,
      column: 0,
      presentationHint: "label",
      canRestart: false,
    };
  }
  const { location } = frame;
  const space = spaceOf(debuggee, frame.world);
  const pointer =
    space === undefined
      ? {}
      : { instructionPointerReference: formatReference({ space, address: frame.pc }) };
  return {
    id,
    name: frameName(debuggee, frame, format, showIn(context, format)),
    certainty: frame.certainty,
    ...(frame.certainty === "scanned" ? { presentationHint: "subtle" as const } : {}),
    line: location === undefined ? 0 : location.line - lineBase,
    column: location === undefined ? 0 : Math.max(location.column, 1) - (columnsStartAt1 ? 0 : 1),
    canRestart: debuggee.timeline !== undefined,
    ...pointer,
    ...(location === undefined ? {} : { source: sourceOf(location.path) }),
    ...(frame.image === undefined ? {} : { moduleId: frame.image.path }),
  };
}

export function sourceOf(path: string): DP.Source {
  return { name: path.split(/[\\/]/).at(-1) ?? path, path };
}

/** Of an answer to a client that does not say how many frames it wants. */
const DEFAULT_FRAMES = 200;
const PAGE = 20;

export const stackRequests: Handlers<"stackTrace"> = {
  stackTrace: (context, args) => {
    stoppedIn(context);
    checkThread(args.threadId);
    const stack = context.stack();
    const start = Math.max(0, args.startFrame ?? 0);
    const levels = args.levels && args.levels > 0 ? args.levels : DEFAULT_FRAMES;
    const frames = stack.slice(start, start + levels);
    return {
      stackFrames: frames.map((frame, i) => stackFrame(context, frame, start + i + 1, args.format)),
      // How many more there are is not known before they are asked for: a page, for now.
      totalFrames: stack.isComplete ? stack.known : Math.max(stack.known, start + levels) + PAGE,
    };
  },
};
