/** Requests for the call stack and the variables in it. */
import { type Context, checkThread, stoppedIn } from "../context.ts";
import { formatReference } from "../memory-reference.ts";
import { spaceOf } from "../names.ts";
import type { CertainStackFrame, DebugProtocol as DP } from "../protocol.ts";
import { scopesOf } from "../scopes/index.ts";
import type { CodeFrame, Frame } from "../stack.ts";
import { UserError } from "../text.ts";
import type { VariableNode } from "../variables.ts";
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

function stackFrame(context: Context, frame: Frame, id: number): CertainStackFrame {
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
    name: `${frame.world} · ${frame.name}${frame.certainty === "scanned" ? " (scanned)" : ""}`,
    certainty: frame.certainty,
    ...(frame.certainty === "scanned" ? { presentationHint: "subtle" as const } : {}),
    line: location === undefined ? 0 : location.line - lineBase,
    column: location === undefined ? 0 : Math.max(location.column, 1) - (columnsStartAt1 ? 0 : 1),
    canRestart: false,
    ...pointer,
    ...(location === undefined ? {} : { source: sourceOf(location.path) }),
    ...(frame.image === undefined ? {} : { moduleId: frame.image.path }),
  };
}

export function sourceOf(path: string): DP.Source {
  return { name: path.split(/[\\/]/).at(-1) ?? path, path };
}

export function variableOf(context: Context, node: VariableNode): DP.Variable {
  const { name, value, type, memoryReference, evaluateName, children, set } = node;
  return {
    name,
    value,
    variablesReference: context.variables.add(children),
    ...(children?.indexed === undefined ? {} : { indexedVariables: children.indexed }),
    ...(type === undefined ? {} : { type }),
    ...(memoryReference === undefined ? {} : { memoryReference }),
    ...(evaluateName === undefined ? {} : { evaluateName }),
    ...(set === undefined ? { presentationHint: { attributes: ["readOnly"] } } : {}),
  };
}

const ALL = 10_000;
/** Of an answer to a client that does not say how many frames it wants. */
const DEFAULT_FRAMES = 200;
const PAGE = 20;

function listed(context: Context, reference: number, start?: number, count?: number) {
  const children = context.variables.get(reference);
  if (children === undefined) throw new UserError("These variables belong to an earlier stop.");
  const nodes = children.list(start ?? 0, count === undefined || count === 0 ? ALL : count);
  if (children.indexed !== undefined || !start) return nodes.slice(0, count || ALL);
  return nodes.slice(start, start + (count || ALL));
}

export const stackRequests: Handlers<"stackTrace" | "scopes" | "variables" | "setVariable"> = {
  stackTrace: (context, args) => {
    stoppedIn(context);
    checkThread(args.threadId);
    const stack = context.stack();
    const start = Math.max(0, args.startFrame ?? 0);
    const levels = args.levels && args.levels > 0 ? args.levels : DEFAULT_FRAMES;
    const frames = stack.slice(start, start + levels);
    return {
      stackFrames: frames.map((frame, i) => stackFrame(context, frame, start + i + 1)),
      // How many more there are is not known before they are asked for: a page, for now.
      totalFrames: stack.isComplete ? stack.known : Math.max(stack.known, start + levels) + PAGE,
    };
  },

  scopes: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const scopes = scopesOf(debuggee, frameOf(context, args.frameId));
    return {
      scopes: scopes.map(({ name, hint, children }) => ({
        name,
        variablesReference: context.variables.add(children),
        expensive: false,
        ...(hint === undefined ? {} : { presentationHint: hint }),
      })),
    };
  },

  variables: (context, args) => {
    stoppedIn(context);
    const nodes = listed(context, args.variablesReference, args.start, args.count);
    return { variables: nodes.map((node) => variableOf(context, node)) };
  },

  setVariable: (context, args) => {
    stoppedIn(context);
    const nodes = listed(context, args.variablesReference);
    const node = nodes.find((each) => each.name === args.name);
    if (node === undefined) throw new UserError(`There is no variable ${args.name} here.`);
    if (node.set === undefined) throw new UserError(`${args.name} cannot be set.`);
    const value = node.set(args.value);
    context.changed();
    return { value };
  },
};
