/** Requests that set breakpoints of every kind and ask about them. */
import { exitByName } from "../../emulator/index.ts";
import { type Breakpoint, bind, type Found, type Place } from "../breakpoint.ts";
import { BreakpointOptions, type OptionTexts } from "../breakpoint-options.ts";
import { type Context, loadedIn, stoppedIn } from "../context.ts";
import { parseReference } from "../memory-reference.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { EXIT_FILTERS, type FilterId } from "../protocol.ts";
import { hex, messageOf, UserError } from "../text.ts";
import { sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

/** Options that do not parse make a breakpoint that never stops and says why. */
function makeBreakpoint(
  context: Context,
  texts: OptionTexts,
  title: string,
  find: () => Found,
): Breakpoint {
  const id = context.breakpoints.newId();
  try {
    return bind({ id, title, options: new BreakpointOptions(texts), find });
  } catch (caught) {
    const message = messageOf(caught);
    const refuse = (): Found => {
      throw new UserError(message);
    };
    return bind({ id, title, options: undefined, find: refuse });
  }
}

/** The breakpoint as the client is told of it. */
export function answer(context: Context, breakpoint: Breakpoint): DP.Breakpoint {
  const { id, isVerified: verified, message, path, line, instructionReference } = breakpoint;
  return {
    id,
    verified,
    ...(message === undefined ? {} : { message, reason: "failed" as const }),
    ...(path === undefined ? {} : { source: sourceOf(path) }),
    ...(line === undefined ? {} : { line: line - lineBase(context) }),
    ...(instructionReference === undefined ? {} : { instructionReference }),
  };
}

const lineBase = (context: Context): number => (context.client.linesStartAt1 ? 0 : 1);

function placesOfLine(context: Context, path: string, line: number): Found {
  const { images } = loadedIn(context).debuggee;
  const known = images.withSource(path);
  if (known.length === 0) {
    const names = images.all.map((image) => image.name).join(", ") || "no image has symbols";
    throw new UserError(`${path} is not a source of any loaded image (${names}).`);
  }
  const places: Place[] = [];
  let actual: number | undefined;
  for (const { image, file } of known) {
    const found = image.symbols.addressesOf(file, line);
    if (found === undefined) continue;
    actual ??= found.line;
    places.push(...found.addresses.map((linear) => ({ linear, world: image.world })));
  }
  if (actual === undefined) {
    throw new UserError(`${path} has no code at line ${line} or after it.`);
  }
  return { places, path, line: actual };
}

const EXIT_PREFIX = /^vmexit\s*:\s*/i;

function placesOfFunction(context: Context, name: string): Found {
  if (EXIT_PREFIX.test(name)) return { places: [], exits: exitTest(name.replace(EXIT_PREFIX, "")) };
  const { images } = loadedIn(context).debuggee;
  const [wanted, only] = name.includes("!") ? name.split("!").reverse() : [name];
  const places: Place[] = [];
  let first: { path: string; line: number } | undefined;
  for (const image of images.all) {
    if (only !== undefined && !image.name.startsWith(only)) continue;
    for (const place of image.symbols.functionsNamed(wanted ?? name)) {
      places.push({ linear: place.body, world: image.world });
      const at = images.sourceAt(image.world, place.body);
      first ??= at && { path: at.path, line: at.line };
    }
  }
  if (places.length === 0) throw new UserError(`No loaded image has a function "${name}".`);
  return { places, ...first };
}

function exitTest(name: string): (reason: string) => boolean {
  const wanted = name
    .trim()
    .toUpperCase()
    .replace(/^VMEXIT_/, "");
  if (wanted === "" || wanted === "*" || wanted === "ANY") return () => true;
  if (exitByName(wanted) === undefined) {
    throw new UserError(`There is no exit "${name}"; examples are NPF, IOIO, MSR, CPUID, VMMCALL.`);
  }
  return (reason) => reason === wanted;
}

function placeOfInstruction(context: Context, text: string, offset: number): Found {
  const { debuggee } = loadedIn(context);
  const reference = parseReference(text, debuggee.world === "host" ? "hva" : "gva");
  const { kind } = reference.space;
  if (kind === "hpa" || kind === "gpa") {
    throw new UserError("Instruction breakpoints need a virtual address (hva: or gva:).");
  }
  const linear = BigInt.asUintN(64, reference.address + BigInt(offset));
  const world = kind === "hva" ? "host" : "guest";
  return { places: [{ linear, world }], instructionReference: `${kind}:${hex(linear)}` };
}

const INTERRUPT_EXITS = ["INTR", "VINTR", "NMI", "SMI", "INIT"];

/** The exits that a filter stops at; undefined for the filters that are not about exits. */
function exitsOfFilter(filter: FilterId): ((reason: string) => boolean) | undefined {
  switch (filter) {
    case "shutdown":
    case "invariant":
      return undefined;
    case "exit":
      return () => true;
    case "exit:INTR":
      return (reason) => INTERRUPT_EXITS.includes(reason);
    case "exit:exceptions":
      return (reason) => reason.startsWith("EXCP_");
    default:
      return (reason) => reason === filter.slice("exit:".length);
  }
}

function filterBreakpoint(context: Context, filter: string, condition?: string): Breakpoint {
  return makeBreakpoint(context, { condition }, `filter ${filter}`, () => {
    const known = EXIT_FILTERS.find(([id]) => id === filter);
    if (known === undefined) {
      const ids = EXIT_FILTERS.map(([id]) => id).join(", ");
      throw new UserError(`There is no exception filter "${filter}"; the filters are ${ids}.`);
    }
    return { places: [], filter, exits: exitsOfFilter(known[0]) };
  });
}

export const breakpointRequests: Handlers<
  | "setBreakpoints"
  | "setFunctionBreakpoints"
  | "setInstructionBreakpoints"
  | "setExceptionBreakpoints"
  | "breakpointLocations"
  | "exceptionInfo"
> = {
  setBreakpoints: (context, args) => {
    const { path } = args.source;
    const requested = args.breakpoints ?? [];
    const made = requested.map((each) => {
      const line = each.line + lineBase(context);
      const title = `${path?.split(/[\\/]/).at(-1) ?? "source"}:${line}`;
      return makeBreakpoint(context, each, title, () => {
        if (path === undefined) throw new UserError("This source has no path.");
        return placesOfLine(context, path, line);
      });
    });
    context.breakpoints.set(`source:${path ?? ""}`, made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  setFunctionBreakpoints: (context, args) => {
    const made = args.breakpoints.map((each) => {
      const name = each.name.trim();
      return makeBreakpoint(context, each, name, () => placesOfFunction(context, name));
    });
    context.breakpoints.set("function", made);
    return { breakpoints: made.map((each) => answer(context, each)) };
  },

  setInstructionBreakpoints: (context, args) => {
    const made = args.breakpoints.map((each) => {
      const { instructionReference: reference, offset = 0 } = each;
      return makeBreakpoint(context, each, `instruction ${reference}`, () =>
        placeOfInstruction(context, reference, offset),
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

  exceptionInfo: (context) => {
    stoppedIn(context);
    const { stop } = context;
    const exception = stop?.exception;
    if (stop === undefined || exception === undefined) {
      throw new UserError("The machine did not stop on an exit, shutdown or violation.");
    }
    return {
      exceptionId: exception.id,
      description:
        stop.text === undefined ? exception.details : `${exception.details}: ${stop.text}`,
      breakMode: "always",
      details: { message: exception.details, typeName: exception.id },
    };
  },
};
