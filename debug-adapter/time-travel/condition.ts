/** Looks for where a condition holds: at events that the caller names, or where what it reads is written. */

import type { Found, Place } from "../breakpoints/breakpoint.ts";
import { dataTrigger } from "../breakpoints/data.ts";
import { formatDataId } from "../breakpoints/data-id.ts";
import { EventNames, type Fields } from "../breakpoints/event-names.ts";
import { parseEvent } from "../breakpoints/events.ts";
import { noFunction, placeOfInstruction, placesOfFunction } from "../breakpoints/places.ts";
import { needsEveryInstruction } from "../breakpoints/register-watch.ts";
import type { Target } from "../breakpoints.ts";
import type { Debuggee } from "../debuggee.ts";
import { exitReason } from "../exits/exit-log.ts";
import { compile, evaluate, isTrue, type Names } from "../expression/evaluate.ts";
import { type Node, parse } from "../expression/parser.ts";
import { exitNames, frameNames } from "../names.ts";
import { worldFrames } from "../stack.ts";
import { messageOf, NotYetError, UserError } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import type { Arm } from "./search.ts";

export interface Condition {
  readonly arm: Arm<true>;
  /** Where it was asked: "exits", "writes of VMCB field nCR3". */
  readonly asked: string;
  /** Why it could not be evaluated where it was asked last. */
  readonly problem: () => string | undefined;
  /** Of one that is asked at writes: whether it holds as the machine stands, as at reset before any. */
  readonly holds: () => boolean;
}

type Ask = (names: () => Names) => "stop" | undefined;

/** Throws a UserError for what does not parse, and for an event or a place that there is not. */
export function condition(
  target: Target,
  text: string,
  at: string | undefined,
  here: Names,
): Condition {
  const { debuggee } = target;
  const node = parse(text);
  const compiled = compile(node);
  let problem: string | undefined;
  const watched = at === undefined ? watchedPlaces(node, here) : undefined;
  const found = watched === undefined ? foundAt(target, at ?? "exit") : undefined;
  const arm: Arm<true> = (meet) => {
    const ask: Ask = (names) => {
      try {
        return isTrue(compiled(names())) ? meet(true) : undefined;
      } catch (caught) {
        if (!(caught instanceof NotYetError)) problem = messageOf(caught);
        return undefined;
      }
    };
    if (found !== undefined) return armFound(debuggee, found, ask);
    return watched === "notYet"
      ? armFromVmrun(debuggee, node, ask)
      : armWrites(debuggee, watched ?? [], ask);
  };
  const holds = () => {
    if (!Array.isArray(watched)) return false;
    try {
      return isTrue(compiled(hereNames(debuggee, {})));
    } catch {
      return false;
    }
  };
  return { arm, asked: askedAt(watched, at), problem: () => problem, holds };
}

function askedAt(watched: Watched, at: string | undefined): string {
  if (watched === undefined) return at ?? "every exit";
  return watched === "notYet" ? "the first VMRUN and after it" : "every write of what it reads";
}

const EXITS: Found = { exits: ["*"] };
const INSTRUCTION = /^(?:execute\s+)?((?:[hg][pv]a\b.*|0x[0-9a-f_]+))$/i;

/** "exit", an event as breakpoints name it, an address or a function. */
function foundAt(target: Target, at: string): Found {
  const text = at.trim();
  if (text === "exit") return EXITS;
  const address = INSTRUCTION.exec(text)?.[1];
  if (address !== undefined) return placeOfInstruction(target, address, 0);
  const name = text.replace(/^execute\s+/i, "");
  const event = name === text ? parseEvent(text)?.found : undefined;
  if (event !== undefined) return event;
  const found = placesOfFunction(target, name);
  if (found.pending === undefined) return found;
  const wanted = 'write "exit", an event as vmexit:NPF, "execute" and an address, or a function';
  throw new UserError(`${noFunction(name)}: ${wanted}.`);
}

/** Known only from the first VMRUN on. */
type Watched = readonly ValuePlace[] | "notYet" | undefined;

/** Memory, VMCB fields and MSRs that are all that the condition reads; undefined if there is more. */
function watchedPlaces(node: Node, names: Names): Watched {
  const read = placesRead(node, names);
  return read?.length === 0 ? undefined : read;
}

function placesRead(node: Node, names: Names): Watched {
  if (node.kind === "integer") return [];
  if (node.kind === "binary") {
    const [left, right] = [placesRead(node.left, names), placesRead(node.right, names)];
    if (left === undefined || right === undefined) return undefined;
    return left === "notYet" || right === "notYet" ? "notYet" : [...left, ...right];
  }
  try {
    const { place } = evaluate(node, names);
    return place === undefined || !isWatchable(place) ? undefined : [place];
  } catch (caught) {
    return caught instanceof NotYetError ? "notYet" : undefined;
  }
}

function isWatchable(place: ValuePlace): boolean {
  return place.kind === "register" || place.kind === "msr" ? !needsEveryInstruction(place) : true;
}

function armWrites(debuggee: Debuggee, places: readonly ValuePlace[], ask: Ask): () => void {
  const byId = new Map(places.map((place) => [formatDataId(place), place]));
  return all(
    [...byId.values()].map((place) =>
      dataTrigger(place, "write").arm(debuggee, ({ fields }) =>
        ask(() => hereNames(debuggee, fields)),
      ),
    ),
  );
}

/**
 * Until a VMRUN makes known what the condition reads it holds nowhere; then it is asked, and at each
 * write, or at each exit where what it reads cannot be watched.
 */
function armFromVmrun(debuggee: Debuggee, node: Node, ask: Ask): () => void {
  let release: (() => void) | undefined;
  const names = () => hereNames(debuggee, {});
  const begin = (): Watched => {
    const places = release === undefined ? watchedPlaces(node, names()) : "notYet";
    if (places === "notYet") return places;
    release = places ? armWrites(debuggee, places, ask) : armFound(debuggee, EXITS, ask);
    return places;
  };
  begin();
  const detach = debuggee.machine.observe({
    name: "condition",
    on: { vmrun: () => (Array.isArray(begin()) ? ask(names) : undefined) },
  });
  return () => {
    detach();
    release?.();
  };
}

function hereNames(debuggee: Debuggee, fields: Fields): Names {
  return new EventNames(fields, () =>
    frameNames(debuggee, worldFrames(debuggee, debuggee.world, 1)[0]),
  );
}

function armFound(
  debuggee: Debuggee,
  { exits, trigger, places = [] }: Found,
  ask: Ask,
): () => void {
  const { machine } = debuggee;
  if (trigger) return trigger.arm(debuggee, ({ fields }) => ask(() => hereNames(debuggee, fields)));
  if (exits === undefined) return armPlaces(debuggee, places, ask);
  return machine.observe({
    name: "condition",
    on: {
      exit: () => {
        const { last } = debuggee.exits;
        const isWanted = last && (exits.includes("*") || exits.includes(exitReason(last)));
        return isWanted ? ask(() => exitNames(debuggee, last)) : undefined;
      },
    },
  });
}

function armPlaces(debuggee: Debuggee, places: readonly Place[], ask: Ask): () => void {
  const { machine } = debuggee;
  const { engine } = machine.cpu;
  const releases = places.map((place) => {
    if (place.kind === "physical") {
      engine.addPhysicalBreakpoint(place.address);
      return () => engine.removePhysicalBreakpoint(place.address);
    }
    engine.addBreakpoint(place.address);
    return () => engine.removeBreakpoint(place.address);
  });
  const detach = machine.observe({
    name: "condition",
    on: {
      execute: ({ linear, physical, guest }) => {
        const world = guest ? "guest" : "host";
        const isHere = places.some((place) =>
          place.kind === "physical"
            ? place.address === physical && (place.world ?? world) === world
            : place.address === linear && place.world === world,
        );
        return isHere ? ask(() => hereNames(debuggee, {})) : undefined;
      },
    },
  });
  return all([...releases, detach]);
}

const all = (releases: readonly (() => void)[]) => () => {
  for (const release of releases) release();
};
