/** Requests that set breakpoints of every kind and ask about them. */
import { type Breakpoint, bind, type Found, type Mode } from "../breakpoints/breakpoint.ts";
import { accessTypesOf, canPersist, dataTrigger, findData } from "../breakpoints/data.ts";
import { formatDataId, parseDataId } from "../breakpoints/data-id.ts";
import { isEventsName, parseEvent, unknownEvent } from "../breakpoints/events.ts";
import { findFilter } from "../breakpoints/filters.ts";
import { BreakpointOptions, type OptionTexts } from "../breakpoints/options.ts";
import {
  hasFunction,
  placeOfInstruction,
  placesOfFunction,
  placesOfLine,
} from "../breakpoints/places.ts";
import { watchTarget } from "../breakpoints/watch-target.ts";
import type { Target } from "../breakpoints.ts";
import { type Context, loadedIn, stoppedIn } from "../context.ts";
import { placeName } from "../place-access.ts";
import { EXIT_CODES } from "../protocol/exit-codes.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { messageOf, oneLine, UserError } from "../text.ts";
import { sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

const MODES: readonly Mode[] = ["any", "host", "guest"];

/** Options that do not parse make a breakpoint that never stops and says why. */
function makeBreakpoint(
  context: Context,
  texts: OptionTexts & { readonly mode?: string | undefined },
  title: string,
  find: (target: Target) => Found,
): Breakpoint {
  const id = context.breakpoints.newId();
  const found = (): Found => {
    const { target } = context.breakpoints;
    if (target === undefined) throw new UserError("No machine is loaded: launch first.");
    return find(target);
  };
  const refused = (message: string) => (): Found => {
    throw new UserError(message);
  };
  const mode = texts.mode === undefined ? "own" : MODES.find((each) => each === texts.mode);
  if (mode === undefined) {
    const message = `There is no breakpoint mode "${texts.mode}"; the modes are ${MODES.join(", ")}.`;
    return bind({ id, title, mode: "any", options: undefined, find: refused(message) });
  }
  try {
    return bind({ id, title, mode, options: new BreakpointOptions(texts), find: found });
  } catch (caught) {
    return bind({ id, title, mode, options: undefined, find: refused(messageOf(caught)) });
  }
}

/** What the trigger of a text does is made once, so that binding again leaves it armed. */
function findOnce(find: () => Found): () => Found {
  let known: Found | undefined;
  return () => {
    known ??= find();
    return known;
  };
}

/** The breakpoint as the client is told of it. */
export function answer(context: Context, breakpoint: Breakpoint): DP.Breakpoint {
  const { id, state, message, path, line, instructionReference } = breakpoint;
  return {
    id,
    verified: state === "verified",
    ...(message === undefined ? {} : { message: oneLine(message) }),
    ...(state === "verified" ? {} : { reason: state }),
    ...(path === undefined ? {} : { source: sourceOf(path) }),
    ...(line === undefined ? {} : { line: line - lineBase(context) }),
    ...(instructionReference === undefined ? {} : { instructionReference }),
  };
}

const lineBase = (context: Context): number => (context.client.linesStartAt1 ? 0 : 1);

function filterBreakpoint(context: Context, filter: string, condition?: string): Breakpoint {
  const find = findOnce(() => findFilter(filter));
  return makeBreakpoint(context, { condition }, `filter ${filter}`, () => find());
}

function functionBreakpoint(context: Context, each: DP.FunctionBreakpoint): Breakpoint {
  const name = each.name.trim();
  const event = findOnce(() => parseEvent(name)?.found ?? {});
  return makeBreakpoint(context, each, name, (target) => {
    if (isEventsName(name) && hasFunction(target, name)) {
      const note = `"${name}" is a function; the event of this name is written event:${name}.`;
      return { ...placesOfFunction(target, name), note };
    }
    const { exits, trigger } = event();
    return exits || trigger ? event() : placesOfFunction(target, name);
  });
}

function eventBreakpoint(context: Context, each: OptionTexts & { event: string }): Breakpoint {
  const event = findOnce(() => {
    const found = parseEvent(String(each.event))?.found;
    if (found === undefined) throw unknownEvent(String(each.event));
    return found;
  });
  return makeBreakpoint(context, each, String(each.event), () => event());
}

function dataBreakpoint(context: Context, each: DP.DataBreakpoint): Breakpoint {
  const type = each.accessType ?? "write";
  const trigger = findOnce(() => ({ trigger: dataTrigger(parseDataId(each.dataId), type) }));
  return makeBreakpoint(context, each, `data ${each.dataId}`, ({ debuggee }) => {
    const found = findData(debuggee, parseDataId(each.dataId), type);
    return found.pending === undefined ? { ...found, ...trigger() } : found;
  });
}

export const breakpointRequests: Handlers<
  | "setBreakpoints"
  | "setFunctionBreakpoints"
  | "setInstructionBreakpoints"
  | "setExceptionBreakpoints"
  | "breakpointLocations"
  | "dataBreakpointInfo"
  | "setDataBreakpoints"
  | "minvisor/setEventBreakpoints"
  | "minvisor/exitCodes"
> = {
  setBreakpoints: (context, args) => {
    const { path } = args.source;
    const requested: DP.SourceBreakpoint[] =
      args.breakpoints ?? args.lines?.map((line) => ({ line })) ?? [];
    const made = requested.map((each) => {
      const line = each.line + lineBase(context);
      const title = `${path?.split(/[\\/]/).at(-1) ?? "source"}:${line}`;
      return makeBreakpoint(context, each, title, (target) => {
        if (path === undefined) throw new UserError("This source has no path.");
        return placesOfLine(target, path, line);
      });
    });
    context.breakpoints.set(`source:${path ?? ""}`, made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  setFunctionBreakpoints: (context, args) => {
    const made = args.breakpoints.map((each) => functionBreakpoint(context, each));
    context.breakpoints.set("function", made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  setInstructionBreakpoints: (context, args) => {
    const made = args.breakpoints.map((each) => {
      const { instructionReference: reference, offset = 0 } = each;
      return makeBreakpoint(context, each, `instruction ${reference}`, (target) =>
        placeOfInstruction(target, context.addresses.spelled(reference), offset),
      );
    });
    context.breakpoints.set("instruction", made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  setExceptionBreakpoints: (context, args) => {
    const made = [
      ...args.filters.map((filter) => filterBreakpoint(context, filter)),
      ...(args.filterOptions ?? []).map((each) =>
        filterBreakpoint(context, each.filterId, each.condition),
      ),
    ];
    const { breakpoints } = context;
    breakpoints.set("exit", made);
    breakpoints.stopsAtShutdown = made.some((each) => each.filter === "shutdown");
    breakpoints.stopsAtViolation = made.some((each) => each.filter === "invariant");
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  dataBreakpointInfo: (context, args) => {
    const { debuggee } = stoppedIn(context);
    try {
      const place = watchTarget(context, args);
      findData(debuggee, place, "write");
      return {
        dataId: formatDataId(place),
        description: placeName(place),
        accessTypes: accessTypesOf(place),
        canPersist: canPersist(place),
      };
    } catch (caught) {
      return { dataId: null, description: messageOf(caught) };
    }
  },

  setDataBreakpoints: (context, args) => {
    const made = args.breakpoints.map((each) => dataBreakpoint(context, each));
    context.breakpoints.set("data", made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  "minvisor/setEventBreakpoints": (context, args) => {
    const made = args.breakpoints.map((each) => eventBreakpoint(context, each));
    context.breakpoints.set("event", made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  "minvisor/exitCodes": () => ({ exits: [...EXIT_CODES] }),

  breakpointLocations: (context, args) => {
    const { images } = loadedIn(context).debuggee;
    const base = lineBase(context);
    const [first, last] = [args.line + base, (args.endLine ?? args.line) + base];
    const lines = new Set<number>();
    for (const { image, file } of images.withSource(args.source.path ?? "")) {
      for (const line of image.symbols.linesOf(file)) {
        if (line >= first && line <= last) lines.add(line);
      }
    }
    return {
      breakpoints: [...lines].sort((a, b) => a - b).map((line) => ({ line: line - base })),
    };
  },
};
