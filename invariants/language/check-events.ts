/** Checks the events of an invariant: exits and MSRs by their names, functions of the program, ranges. */
import { ExpressionChecker } from "./check-expression.ts";
import { errorTerm, type FileNotes, type Shared, whyUnknown } from "./checker.ts";
import type { EventArgument, EventName, EventNode, Expression, Name } from "./syntax.ts";
import type { CheckedEvent, CheckedInvariant, Term } from "./term.ts";
import { article, rangeOf, sameType } from "./types.ts";

/** Calls and returns are judged from reset: builders run before the first VMRUN. */
export function defaultPhase(events: readonly EventNode[]): CheckedInvariant["phase"] {
  return events.some(({ name }) => name === "call" || name === "return") ? "reset" : "firstVmrun";
}

type ArgumentChecker = (name: EventArgument, shared: Shared, notes: FileNotes) => void;

const named =
  (
    kind: "exit" | "msr" | "exception",
    what: string,
    names: (shared: Shared) => ReadonlySet<string>,
  ): ArgumentChecker =>
  (name, shared, notes) => {
    const known = names(shared);
    if (known.has(name.text)) return notes.refer(name, { kind, name: name.text });
    notes.unknownName(name, `There is no ${what} ${name.text}`, known);
  };

const msrByName = named("msr", "MSR", ({ builtIns }) => builtIns.msrs);
const MSR_NUMBER_BITS = 32n;

const ofMsr: ArgumentChecker = (argument, shared, notes) => {
  if (argument.number === undefined) return msrByName(argument, shared, notes);
  if (argument.number >> MSR_NUMBER_BITS === 0n) return;
  const wanted = `an MSR's number has ${MSR_NUMBER_BITS} bits`;
  notes.error(argument, `There is no MSR ${argument.text}: ${wanted}`);
};

/** A number however it is written is the same. */
const asChecked = ({ number, ...argument }: EventArgument): Name =>
  number === undefined ? argument : { ...argument, text: `0x${number.toString(16)}` };

const ofFunction: ArgumentChecker = (name, { program }, notes) => {
  const inlined = program?.inlinedPlaces?.(name.text) ?? 0;
  const places = inlined === 1 ? "one place" : `${inlined} places`;
  if (program?.function(name.text) !== undefined) {
    notes.refer(name, { kind: "symbol", name: name.text, of: "function" });
    if (inlined === 0) return;
    const unseen = "what runs there is no call, and is not checked";
    return notes.warning(name, `${name.text} is inlined at ${places} too: ${unseen}`);
  }
  if (inlined > 0) {
    const own = "it has no code of its own, and no call";
    return notes.error(name, `${name.text} is inlined at ${places}: ${own}`);
  }
  const known = program?.functionNames() ?? [];
  notes.unknownName(name, `There is no function ${name.text}`, known, whyUnknown(program));
};

const ARGUMENTS: { readonly [E in EventName]?: ArgumentChecker } = {
  exit: named("exit", "exit", ({ builtIns }) => builtIns.exits),
  msr_write: ofMsr,
  exception: named("exception", "exception", ({ builtIns }) => builtIns.exceptions),
  call: ofFunction,
  return: ofFunction,
};

export function checkEvents(
  events: readonly EventNode[],
  shared: Shared,
  notes: FileNotes,
): CheckedEvent[] {
  return events.map(({ range, arguments: given, ...rest }) => {
    const event = { ...rest, arguments: given.map(asChecked) };
    const { name, start, end } = event;
    notes.refer({ start, end: start + name.length }, { kind: "event", name });
    const checkArgument = ARGUMENTS[name];
    if (checkArgument === undefined && given.length > 0) {
      notes.error({ start, end }, `The event ${name} takes nothing in brackets`);
    }
    for (const argument of given) checkArgument?.(argument, shared, notes);
    return range === undefined ? event : { ...event, range: checkRange(range, shared, notes) };
  });
}

/** It is looked at where no invariant is judged: of the machine alone. */
function checkRange(node: Expression, shared: Shared, notes: FileNotes): Term {
  const place = { events: [], scope: undefined, isWithinOld: false };
  const term = new ExpressionChecker(shared, notes).check(node, place);
  if (sameType(term.type, rangeOf("hpa"))) return term;
  notes.error(node, `The event write wants a hpa range, and this is ${article(term.type)}`);
  return errorTerm(node);
}
