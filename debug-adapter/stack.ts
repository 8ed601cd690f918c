/** One call stack across worlds: the running world's frames, a label, and the other world's. */
import type { Debuggee } from "./debuggee.ts";
import { exitTitle } from "./exits/exit-log.ts";
import type { World } from "./register-file.ts";
import type { CodeFrame, Frame } from "./stack/frame.ts";
import { worldStack } from "./stack/world-stack.ts";

export type { CodeFrame, Frame, LabelFrame } from "./stack/frame.ts";

/** The whole stack of a stopped machine; frames are made when they are asked for. */
export class CallStack {
  private readonly made: Frame[] = [];
  private readonly rest: Iterator<Frame>;
  /** Whether the outermost frame was reached. */
  isComplete = false;

  /** `inlineDepth`: how many source frames of the innermost machine frame are entered (all if missing). */
  constructor(debuggee: Debuggee, inlineDepth?: number) {
    this.rest = allFrames(debuggee, inlineDepth);
  }

  at(index: number): Frame | undefined {
    this.make(index + 1);
    return this.made[index];
  }

  slice(start: number, end: number): readonly Frame[] {
    this.make(end);
    return this.made.slice(start, end);
  }

  /** How many frames are made so far. */
  get known(): number {
    return this.made.length;
  }

  private make(count: number): void {
    while (this.made.length < count && !this.isComplete) {
      const next = this.rest.next();
      if (next.done) this.isComplete = true;
      else this.made.push(next.value);
    }
  }
}

function* allFrames(debuggee: Debuggee, inlineDepth: number | undefined): Generator<Frame> {
  const { world, exits, spaces } = debuggee;
  yield* entered(worldStack(debuggee, world), inlineDepth);
  if (spaces.vmcb === undefined) return;
  const last = exits.last;
  const title = last === undefined ? undefined : exitTitle(last, debuggee.machine);
  if (world === "host") yield { kind: "label", name: title ?? "#VMEXIT" };
  else {
    const after = title === undefined ? "" : ` after ${title}`;
    yield { kind: "label", name: `VMRUN${after}` };
  }
  yield* worldStack(debuggee, world === "host" ? "guest" : "host");
}

/** Without those inlined frames of the innermost machine frame that are not entered yet. */
function* entered(frames: Generator<Frame>, inlineDepth: number | undefined): Generator<Frame> {
  if (inlineDepth === undefined) {
    yield* frames;
    return;
  }
  const innermost: Frame[] = [];
  for (const frame of frames) {
    const isInnermost = frame.kind === "code" && frame.depth === 0;
    if (isInnermost) innermost.push(frame);
    else {
      yield* innermost.splice(0).slice(-inlineDepth);
      yield frame;
    }
  }
  yield* innermost.slice(-inlineDepth);
}

/** Frames of code of one world, innermost first; none for the guest before the first VMRUN. */
export function worldFrames(debuggee: Debuggee, world: World, limit: number): CodeFrame[] {
  const frames: CodeFrame[] = [];
  for (const frame of worldStack(debuggee, world)) {
    if (frame.kind === "code") frames.push(frame);
    if (frames.length >= limit) break;
  }
  return frames;
}
