/** Why an invariant is false: the innermost comparison that fails, with its values and its bytes. */

import type { Term, Variable } from "../language/term.ts";
import { readableText } from "../language/term-text.ts";
import { FUNCTIONS } from "../model/functions.ts";
import { cBytes } from "./c-object.ts";
import { bound, compile, elementsOf, type Frame } from "./compile.ts";
import {
  type Bytes,
  type CValue,
  isUnknown,
  type RangeValue,
  type RecordValue,
  type Result,
} from "./value.ts";
import { termValue, valueText } from "./value-text.ts";

export interface Explanation {
  readonly expected: string;
  readonly actual: string;
  /** The elements for which it fails, outermost first: "m is the nested PDE at ...". */
  readonly elements: readonly string[];
  /** The smallest bytes that make it false; undefined where registers alone do. */
  readonly witness: Bytes | undefined;
  /** Ranges that meet or stick out, for the message. */
  readonly ranges: readonly RangeValue[];
}

/** The term is false in the frame. */
export function explain(term: Term, frame: Frame): Explanation {
  return new Explainer(frame).explain(term, false);
}

class Explainer {
  private readonly frame: Frame;
  private readonly elements: { readonly name: string; readonly value: Result }[] = [];

  constructor(frame: Frame) {
    this.frame = frame;
  }

  /** Why the term is `value`. */
  explain(term: Term, value: boolean): Explanation {
    switch (term.kind) {
      case "unary":
        return term.operator === "!" ? this.explain(term.operand, !value) : this.atom(term, value);
      case "binary":
        return this.binary(term, value);
      case "conditional": {
        const condition = compile(term.condition)(this.frame);
        return this.explain(condition === true ? term.then : term.otherwise, value);
      }
      case "let": {
        const bindings = new Map([[term.variable, compile(term.value)(this.frame)]]);
        return this.within(bindings, term.body, value, false);
      }
      case "expand": {
        const { definition } = term;
        const values = term.arguments.map((each) => compile(each)(this.frame));
        const bindings = definition.parameters.map(
          (each, i) => [each, values[i] as Result] as const,
        );
        return this.within(new Map(bindings), definition.body, value, false);
      }
      case "quantifier":
        return this.quantifier(term, value);
      default:
        return this.atom(term, value);
    }
  }

  private binary(term: Extract<Term, { kind: "binary" }>, value: boolean): Explanation {
    const { operator, left, right } = term;
    const is = (each: Term, wanted: boolean): boolean => compile(each)(this.frame) === wanted;
    if (operator === "=>" && !value) return this.explain(right, false);
    if (operator === "&&" && !value) return this.explain(is(left, false) ? left : right, false);
    if (operator === "||" && value) return this.explain(is(left, true) ? left : right, true);
    // Both are false, or both are true: the last one is the one that was hoped for.
    if (operator === "||" || operator === "&&") return this.explain(right, value);
    return this.atom(term, value);
  }

  /** The first element for which the body says otherwise. */
  private quantifier(term: Extract<Term, { kind: "quantifier" }>, value: boolean): Explanation {
    const { quantifier, variable } = term;
    const isCounterexample = quantifier === "forall" ? !value : value;
    const elements = elementsOf(compile(term.collection)(this.frame), this.frame.view);
    if (quantifier === "count" || !isCounterexample || !Array.isArray(elements)) {
      return this.atom(term, value);
    }
    const wanted = quantifier === "exists";
    const body = compile(term.body);
    const filter = term.filter && compile(term.filter);
    const found = (elements as readonly Result[]).find(
      (each) =>
        !isUnknown(each) &&
        bound(this.frame, variable, each, (frame) => {
          return (filter?.(frame) ?? true) === true && body(frame) === wanted;
        }) === true,
    );
    if (found === undefined) return this.atom(term, value);
    return this.within(new Map([[variable, found]]), term.body, wanted, true);
  }

  private within(
    bindings: ReadonlyMap<Variable, Result>,
    body: Term,
    value: boolean,
    areElements: boolean,
  ): Explanation {
    const { variables } = this.frame;
    const before = new Map(variables);
    for (const [variable, result] of bindings) {
      variables.set(variable, result);
      if (areElements) this.elements.push({ name: variable.name, value: result });
    }
    const explanation = this.explain(body, value);
    variables.clear();
    for (const [variable, result] of before) variables.set(variable, result);
    return explanation;
  }

  private atom(term: Term, value: boolean): Explanation {
    const operands = operandsOf(term);
    const values = operands.map((each) => compile(each)(this.frame));
    const said = operands
      .map((each, i) => termValue(plainText(each), each, values[i] as Result))
      .filter((each) => each !== undefined);
    const text = plainText(term);
    const ranges = values.filter((each): each is RangeValue => isRange(each));
    return {
      expected: value ? `not ${text}` : text,
      actual: said.length > 0 ? [...new Set(said)].join(", ") : `${text} is ${value}`,
      elements: this.elements.map(({ name, value: of }) => `${name} is ${valueText(of)}`),
      witness: this.elementBytes() ?? this.bytesOf(term),
      ranges,
    };
  }

  /** Of the innermost element that has bytes of its own. */
  private elementBytes(): Bytes | undefined {
    for (const { value } of [...this.elements].reverse()) {
      if (typeof value !== "object" || isUnknown(value)) continue;
      if (value.kind === "record") {
        const bytes = value.model.bytes(value.of, this.frame.view);
        if (bytes !== undefined) return bytes;
      }
      if (value.kind === "c") return cBytes(value, this.frame.view);
    }
    return undefined;
  }

  /** The first bytes of memory that the term reads. */
  private bytesOf(term: Term): Bytes | undefined {
    const { frame } = this;
    if (term.kind === "field") {
      const object = compile(term.object)(frame);
      if (!isRecord(object)) return undefined;
      return (
        object.model.fields.get(term.name)?.bytes(object.of, frame.view) ??
        this.bytesOf(term.object)
      );
    }
    if (term.kind === "load") {
      const object = compile(term.object)(frame);
      return isUnknown(object) ? undefined : cBytes(object as CValue, frame.view);
    }
    if (term.kind === "call") {
      const values = term.arguments.map((each) => compile(each)(frame));
      const own = FUNCTIONS[term.name]?.bytes?.(values, frame.view);
      if (own !== undefined) return own;
    }
    for (const operand of operandsOf(term)) {
      const found = this.bytesOf(operand);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const isRange = (value: Result): boolean =>
  typeof value === "object" && !isUnknown(value) && value.kind === "range";
const isRecord = (value: Result): value is RecordValue =>
  typeof value === "object" && !isUnknown(value) && value.kind === "record";

/** What a comparison compares; a term that compares nothing is its own operand. */
function operandsOf(term: Term): readonly Term[] {
  switch (term.kind) {
    case "binary":
      return [term.left, term.right];
    case "oneOf":
      return [term.element];
    case "inRange":
      return [term.element, term.range];
    case "call":
      return term.arguments;
    case "unary":
      return [term.operand];
    default:
      return [];
  }
}

function plainText(term: Term): string {
  const text = readableText(term);
  return term.kind === "binary" ? text.slice(1, -1) : text;
}
