/** The structure of terms, for whoever walks over them. */
import type { Term, Variable } from "./term.ts";

/** The terms directly below a term. */
export function parts(term: Term): readonly Term[] {
  switch (term.kind) {
    case "constant":
    case "variable":
    case "global":
    case "symbol":
      return [];
    case "field":
    case "cMember":
    case "addressOf":
    case "load":
      return [term.object];
    case "element":
      return [term.object, term.index];
    case "dereference":
      return [term.pointer];
    case "call":
    case "expand":
      return term.arguments;
    case "unary":
      return [term.operand];
    case "binary":
      return [term.left, term.right];
    case "conditional":
      return [term.condition, term.then, term.otherwise];
    case "oneOf":
      return [term.element, ...term.set];
    case "list":
      return term.elements;
    case "inRange":
      return [term.element, term.range];
    case "quantifier":
      return [term.collection, ...(term.filter === undefined ? [] : [term.filter]), term.body];
    case "let":
      return [term.value, term.body];
    case "old":
      return [term.body];
  }
}

/** The variables that a term uses and does not bind. */
export function freeVariables(term: Term): Set<Variable> {
  if (term.kind === "variable") return new Set([term.variable]);
  const free = new Set(parts(term).flatMap((part) => [...freeVariables(part)]));
  // What stands before the body is outside of the binding, where a variable is another one anyway.
  if (term.kind === "quantifier" || term.kind === "let") free.delete(term.variable);
  return free;
}

/** Whether the machine alone says what it is worth: no variable, parameter, definition or earlier event does. */
export function isOfMachine(term: Term): boolean {
  if (term.kind === "symbol") return term.of === "global";
  if (["variable", "expand", "quantifier", "let", "old"].includes(term.kind)) return false;
  return parts(term).every(isOfMachine);
}
