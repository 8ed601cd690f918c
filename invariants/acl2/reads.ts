/** What of a term reads the machine: such terms are entries of an exported state, all else is ACL2. */
import type { Term, Variable } from "../language/term.ts";
import { parts } from "../language/term-parts.ts";

/** Built-in functions of values alone, by their names in the macro book. */
export const PURE_FUNCTIONS: { readonly [name: string]: string } = {
  disjoint: "u-disjoint",
  overlaps: "u-overlaps",
  within: "u-within",
  size: "u-size",
  min: "u-min",
  max: "u-max",
};

/** Variables that the term does not bind itself, in the order of their first use. */
export function freeVariables(term: Term): readonly Variable[] {
  const found = new Set<Variable>();
  const visit = (each: Term, bound: readonly Variable[]): void => {
    if (each.kind === "variable" && !bound.includes(each.variable)) found.add(each.variable);
    const binds = each.kind === "quantifier" || each.kind === "let" ? [each.variable] : [];
    const outside = each.kind === "quantifier" ? each.collection : undefined;
    for (const part of parts(each)) {
      const isOutside = part === outside || (each.kind === "let" && part === each.value);
      visit(part, isOutside ? bound : [...bound, ...binds]);
    }
  };
  visit(term, []);
  return [...found];
}

/** Whether a field is one of a record that a variable holds: the state has it with the record. */
function isFieldOfVariable(term: Term): boolean {
  let at = term;
  while (at.kind === "field") at = at.object;
  return term.kind === "field" && at.kind === "variable";
}

/** Whether the term's value comes from the machine and not from its parts by ACL2's functions. */
export function isRead(term: Term): boolean {
  switch (term.kind) {
    case "global":
    case "symbol":
    case "cMember":
    case "element":
    case "dereference":
    case "addressOf":
    case "load":
      return true;
    case "field":
      return !isFieldOfVariable(term);
    case "call":
      return PURE_FUNCTIONS[term.name] === undefined;
    default:
      return false;
  }
}

/** By record, the fields that are asked of variables of that record: what a state says of them. */
export function fieldsInUse(terms: readonly Term[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const visit = (term: Term): void => {
    if (term.kind === "field" && isFieldOfVariable(term)) {
      const fields = found.get(term.record) ?? new Set<string>();
      found.set(term.record, fields.add(term.name));
    }
    if (term.kind === "expand") visit(term.definition.body);
    for (const part of parts(term)) visit(part);
  };
  for (const term of terms) visit(term);
  return found;
}
