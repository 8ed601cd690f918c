/** Compiles checked terms to closures over a frame: a view of the machine and the variables' values. */
import type { Term, Variable } from "../language/term.ts";
import { freeVariables, isOfMachine } from "../language/term-parts.ts";
import { termText } from "../language/term-text.ts";
import { FUNCTIONS } from "../model/functions.ts";
import { GLOBALS } from "../model/index.ts";
import type { View } from "../model/view.ts";
import {
  cAddress,
  cDereference,
  cElement,
  cElements,
  cLoad,
  cLoader,
  cMember,
  cPointer,
} from "./c-object.ts";
import { lazily, negated, strict } from "./operators.ts";
import { defineSource, type Source } from "./readings.ts";
import type { OldValues, Reads } from "./reads.ts";
import {
  type CValue,
  isUnknown,
  type ListValue,
  type RangeValue,
  type RecordValue,
  type Result,
  rangeWithin,
  sameResult,
  span,
  Unknown,
} from "./value.ts";

export interface Frame {
  readonly view: View;
  readonly variables: Map<Variable, Result>;
  readonly old: OldValues;
  /** What was read, if it is to be noted. */
  readonly reads: Reads | undefined;
  /** Elements that may still be looked at. */
  readonly budget: { left: number };
  /** Values of closed terms: nothing changes while an evaluation looks. */
  readonly closed: Map<Term, Result>;
}

export type Code = (frame: Frame) => Result;

/** Elements that one evaluation looks at, over all quantifiers within each other. */
const MOST_STEPS = 4_000_000;
const TOO_MANY = new Unknown(`it looks at over ${MOST_STEPS} elements`);
const compiled = new WeakMap<Term, Code>();
const NO_VALUES: OldValues = new Map();
const NO_EARLIER = new Unknown("there was no earlier event of that kind");

export function makeFrame(view: View, old: OldValues = NO_VALUES, reads?: Reads): Frame {
  const [budget, closed] = [{ left: MOST_STEPS }, new Map()];
  return { view, variables: new Map(), old, reads, budget, closed };
}

/** The code of a term; each is made once. */
export function compile(term: Term): Code {
  let code = compiled.get(term);
  if (code === undefined) {
    if (isRead(term) && isOfMachine(term)) code = readingOf(term);
    else if (term.kind === "constant" || freeVariables(term).size > 0) code = make(term);
    else code = once(term, make(term));
    compiled.set(term, code);
  }
  return code;
}

/** What depends on no variable is looked at once an evaluation, however many elements there are. */
const once =
  (term: Term, code: Code): Code =>
  (frame) => {
    // Before the first element nothing is looked at again.
    if (frame.budget.left === MOST_STEPS) return code(frame);
    const known = frame.closed.get(term);
    if (known !== undefined) return known;
    const value = code(frame);
    frame.closed.set(term, value);
    return value;
  };

/** Whether the term looks at the machine itself, beside what its parts do. */
function isRead(term: Term): boolean {
  if (term.kind === "call") {
    const model = FUNCTIONS[term.name];
    return model?.isLive === true && model.basis === undefined;
  }
  return READS.has(term.kind);
}

const READS: ReadonlySet<Term["kind"]> = new Set([
  ...(["global", "field", "symbol", "cMember", "element", "dereference", "load"] as const),
]);
const NO_VARIABLES: Frame["variables"] = new Map();
const UNUSED: Frame["budget"] = { left: MOST_STEPS };
const NOTHING: Frame["closed"] = new Map();

/** For terms of the machine alone: they bind nothing and run over nothing. */
function quietFrame(view: View): Frame {
  return {
    view,
    variables: NO_VARIABLES,
    old: NO_VALUES,
    reads: undefined,
    budget: UNUSED,
    closed: NOTHING,
  };
}

/** By their text: the same words in two invariants are one source. */
const sources = new Map<string, Source>();

function sourceOf(term: Term): Source {
  const key = `${term.kind} ${termText(term)}`;
  let source = sources.get(key);
  if (source === undefined) {
    source = defineSource<Result>(reader(term), sameResult);
    sources.set(key, source);
  }
  return source;
}

/** How a term of the machine alone is read: the short way, where it is one that each event takes often. */
function reader(term: Term): (view: View) => Result {
  if (term.kind === "global") return globalOf(term.name);
  if (term.kind === "field") {
    return ofObject<RecordValue>(term.object, (record) => {
      const field = record.model.fields.get(term.name);
      return (view) =>
        field === undefined ? noField(record, term.name) : field.read(record.of, view);
    });
  }
  if (term.kind === "load") return ofObject<CValue>(term.object, cLoader);
  if (term.kind === "cMember") {
    return ofObject<CValue>(term.object, (object) => {
      const member = cMember(object, term.name);
      return () => member;
    });
  }
  const code = make(term);
  return (view) => code(quietFrame(view));
}

/** What is made of the object is made again only where it is another one. */
function ofObject<T extends Result>(
  term: Term,
  make: (object: T) => (view: View) => Result,
): (view: View) => Result {
  const source = sourceOf(term);
  let of: Result | undefined;
  let read: (view: View) => Result = () => new Unknown("nothing was read yet");
  return (view) => {
    const object = view.readings.at(source, view).value as Result;
    if (isUnknown(object)) return object;
    if (object !== of) {
      of = object;
      read = make(object as T);
    }
    return read(view);
  };
}

function readingOf(term: Term): Code {
  const source = sourceOf(term);
  return (frame) => readAt(frame, source) as Result;
}

function readAt(frame: Frame, source: Source): unknown {
  const { view, reads } = frame;
  const { value, version } = view.readings.at(source, view);
  reads?.addSource(source, version);
  return value;
}

/** Reads, and notes how to do it again. */
function noted({ view, reads }: Frame, again: (view: View) => Result): Result {
  const value = again(view);
  reads?.add((later) => sameResult(value, again(later)));
  return value;
}

/** Calls `use` with what is known, and passes on what is not. */
const known =
  <T extends Result>(code: Code, use: (value: T, frame: Frame) => Result): Code =>
  (frame) => {
    const value = code(frame);
    return isUnknown(value) ? value : use(value as T, frame);
  };

function make(term: Term): Code {
  switch (term.kind) {
    case "constant":
      return () => term.value;
    case "variable":
      return ({ variables }) =>
        variables.get(term.variable) ?? new Unknown(`${term.variable.name} has no value`);
    case "global": {
      const read = globalOf(term.name);
      return (frame) => noted(frame, read);
    }
    case "field":
      return makeField(term);
    case "unary": {
      const operand = compile(term.operand);
      if (term.operator === "!") return (frame) => negated(operand(frame));
      if (term.operator === "-") return known<bigint>(operand, (value) => -value);
      return known<bigint>(operand, (value) => ~value);
    }
    case "binary":
      return makeBinary(term);
    case "conditional": {
      const [then, otherwise] = [compile(term.then), compile(term.otherwise)];
      return known<boolean>(compile(term.condition), (value, frame) =>
        (value ? then : otherwise)(frame),
      );
    }
    case "oneOf":
      return makeOneOf(term);
    case "list": {
      const elements = term.elements.map(compile);
      return (frame) => ({ kind: "list", elements: elements.map((each) => each(frame)) });
    }
    case "inRange": {
      const range = compile(term.range);
      return known<bigint>(compile(term.element), (element, frame) => {
        const value = range(frame);
        if (isUnknown(value)) return value;
        const of = value as RangeValue;
        return rangeWithin(span(of.space, element, 1n), of);
      });
    }
    case "let": {
      const [value, body] = [compile(term.value), compile(term.body)];
      return (frame) => bound(frame, term.variable, value(frame), body);
    }
    case "old":
      return makeOld(term);
    case "quantifier":
      return term.quantifier === "count" ? makeCount(term) : makeQuantifier(term);
    case "call":
      return makeCall(term);
    case "expand":
      return makeExpand(term);
    default:
      return makeObject(term);
  }
}

function globalOf(name: string): (view: View) => Result {
  return GLOBALS[name]?.read ?? (() => new Unknown(`${name} is not built in`));
}

type Of<K extends Term["kind"]> = Extract<Term, { kind: K }>;

function makeOld(term: Of<"old">): Code {
  return ({ old, reads }) => {
    const value = old.get(term) ?? NO_EARLIER;
    reads?.add((_, later) => sameResult(value, later.get(term) ?? NO_EARLIER));
    return term.type.kind === "c" && typeof value === "bigint"
      ? cPointer(term.type.type, value)
      : value;
  };
}

function makeField({ object, name }: Of<"field">): Code {
  return known<RecordValue>(compile(object), (record, frame) => {
    if (!record.model.isLive) return readField(record, name, frame.view);
    return noted(frame, (view) => readField(record, name, view));
  });
}

function readField(record: RecordValue, name: string, view: View): Result {
  return record.model.fields.get(name)?.read(record.of, view) ?? noField(record, name);
}

const noField = ({ model }: RecordValue, name: string): Unknown =>
  new Unknown(`${model.name} has no ${name}`);

function makeBinary(term: Of<"binary">): Code {
  const { operator, left, right } = term;
  if (operator === "&&" || operator === "||") return makeChain(term, operator === "||");
  const [a, b] = [compile(left), compile(right)];
  if (operator === "=>") return (frame) => lazily(operator, a(frame), () => b(frame));
  return (frame) => strict(operator, a(frame), b(frame));
}

/** As lazily() from left to right over `a && b && c`: the first that is `decisive` decides. */
function makeChain(term: Of<"binary">, decisive: boolean): Code {
  const sides = sidesOf(term, term.operator).map(compile);
  return (frame) => {
    let result: Result = !decisive;
    for (const side of sides) {
      const value = side(frame);
      if (value === decisive) return decisive;
      if (isUnknown(value) && !isUnknown(result)) result = value;
    }
    return result;
  };
}

function sidesOf(term: Term, operator: string): Term[] {
  if (term.kind !== "binary" || term.operator !== operator) return [term];
  return [...sidesOf(term.left, operator), term.right];
}

/** What a term of constants and operators that need both sides is worth, if it is known. */
function constantOf(term: Term): Result | undefined {
  if (term.kind === "constant") return term.value;
  if (term.kind !== "binary" || ["&&", "||", "=>"].includes(term.operator)) return undefined;
  const [left, right] = [constantOf(term.left), constantOf(term.right)];
  if (left === undefined || right === undefined) return undefined;
  const value = strict(term.operator, left, right);
  return isUnknown(value) ? undefined : value;
}

function makeOneOf({ element, set }: Of<"oneOf">): Code {
  const constants = set.map(constantOf);
  if (constants.every((each) => each !== undefined)) {
    const values: ReadonlySet<Result> = new Set(constants);
    return known<bigint>(compile(element), (value) => values.has(value));
  }
  const elements = set.map(compile);
  return known<bigint>(compile(element), (value, frame) => {
    let result: Result = false;
    for (const each of elements) {
      result = lazily("||", result, () => strict("==", value, each(frame)));
      if (result === true) return true;
    }
    return result;
  });
}

export function bound(frame: Frame, variable: Variable, value: Result, body: Code): Result {
  const { variables } = frame;
  const before = variables.get(variable);
  variables.set(variable, value);
  const result = body(frame);
  if (before === undefined) variables.delete(variable);
  else variables.set(variable, before);
  return result;
}

/** The elements of a list or a C array. */
export function elementsOf(value: Result, view: View): readonly Result[] | Unknown {
  if (isUnknown(value)) return value;
  const list = (value as CValue).kind === "c" ? cElements(value as CValue, view) : value;
  return isUnknown(list) ? list : (list as ListValue).elements;
}

/** forall is false if any is false, else unknown if any is unknown; exists the same for true. */
function makeQuantifier(term: Of<"quantifier">): Code {
  const { quantifier, variable } = term;
  const [collection, body] = [compile(term.collection), compile(term.body)];
  const filter = term.filter && compile(term.filter);
  const isForall = quantifier === "forall";
  const one: Code = (frame) => {
    if (filter === undefined) return body(frame);
    return lazily(isForall ? "=>" : "&&", filter(frame), () => body(frame));
  };
  return (frame) => {
    const elements = elementsOf(collection(frame), frame.view);
    if (elements instanceof Unknown) return elements;
    let result: Result = isForall;
    for (const element of elements) {
      if (frame.budget.left-- <= 0) return TOO_MANY;
      const each = isUnknown(element) ? element : bound(frame, variable, element, one);
      if (each === !isForall) return each;
      if (isUnknown(each) && !isUnknown(result)) result = each;
    }
    return result;
  };
}

function makeCount(term: Of<"quantifier">): Code {
  const { variable } = term;
  const [collection, body] = [compile(term.collection), compile(term.body)];
  const filter = term.filter && compile(term.filter);
  const one: Code = (frame) => lazily("&&", filter?.(frame) ?? true, () => body(frame));
  return (frame) => {
    const elements = elementsOf(collection(frame), frame.view);
    if (elements instanceof Unknown) return elements;
    let count = 0n;
    for (const element of elements) {
      if (frame.budget.left-- <= 0) return TOO_MANY;
      const each = isUnknown(element) ? element : bound(frame, variable, element, one);
      if (isUnknown(each)) return each;
      if (each === true) count++;
    }
    return count;
  };
}

function makeCall(term: Of<"call">): Code {
  const model = FUNCTIONS[term.name];
  const codes = term.arguments.map(compile);
  return (frame) => {
    if (model === undefined) return new Unknown(`${term.name} is not built in`);
    const values = codes.map((code) => code(frame));
    const unknown = values.find(isUnknown);
    if (unknown !== undefined) return unknown;
    if (model.basis !== undefined) readAt(frame, model.basis);
    if (!model.isLive || model.basis !== undefined) return model.call(values, frame.view);
    return noted(frame, (view) => model.call(values, view));
  };
}

function makeExpand(term: Of<"expand">): Code {
  const { definition } = term;
  const codes = term.arguments.map(compile);
  return (frame) => {
    const body = compile(definition.body);
    const values = codes.map((code) => code(frame));
    const variables = new Map(definition.parameters.map((each, i) => [each, values[i] as Result]));
    const { view, old, reads, budget, closed } = frame;
    return body({ view, variables, old, reads, budget, closed });
  };
}

/** Objects of the program's: every look at memory is a read of the machine. */
function makeObject(term: Term): Code {
  switch (term.kind) {
    case "symbol":
      return (frame) =>
        noted(frame, (view) => {
          const { program } = view;
          if (program === undefined) return new Unknown("the image has no debug information");
          if (term.of === "result") return program.result(view);
          return term.of === "global"
            ? program.global(term.name, view)
            : program.parameter(term.name, view);
        });
    case "cMember":
      return known<CValue>(compile(term.object), (object) => cMember(object, term.name));
    case "element": {
      const index = compile(term.index);
      return known<CValue | ListValue>(compile(term.object), (object, frame) => {
        const at = index(frame);
        if (isUnknown(at)) return at;
        if (object.kind === "c")
          return noted(frame, (view) => cElement(object, at as bigint, view));
        return object.elements[Number(at)] ?? new Unknown(`the list has no element ${at}`);
      });
    }
    case "dereference":
      return known<CValue>(compile(term.pointer), (pointer, frame) =>
        noted(frame, (view) => cDereference(pointer, view)),
      );
    case "addressOf":
      return known<CValue>(compile(term.object), cAddress);
    case "load":
      return known<CValue>(compile(term.object), (object, frame) =>
        noted(frame, (view) => cLoad(object, view)),
      );
    default:
      throw new Error(`A term of kind ${term.kind} is no object`);
  }
}
