/** A term as text: the key of what it reads in an exported state, and what messages show. */
import type { Term } from "./term.ts";

/** One text for each way to read; terms that differ in what they read have different texts. */
export const termText = (term: Term): string => textOf(term, termText);

/** As a user wrote it, near enough: for messages. */
export function readableText(term: Term): string {
  if (term.kind === "constant" && term.written !== undefined) return term.written;
  if (term.kind === "symbol" && term.of !== "global") return term.name;
  if (term.kind === "cMember" && term.object.kind === "dereference") {
    return `${readableText(term.object.pointer)}->${term.name}`;
  }
  return textOf(term, readableText);
}

/** `part` gives the text of its parts. */
function textOf(term: Term, part: (term: Term) => string): string {
  switch (term.kind) {
    case "constant":
      return term.name ?? String(term.value);
    case "variable":
      return term.variable.name;
    case "global":
      return term.name;
    case "symbol":
      return term.of === "global" ? `$${term.name}` : `${term.of} ${term.name}`;
    case "field":
    case "cMember":
      return `${part(term.object)}.${term.name}`;
    case "element":
      return `${part(term.object)}[${part(term.index)}]`;
    case "dereference":
      return `*(${part(term.pointer)})`;
    case "addressOf":
      return `&(${part(term.object)})`;
    case "load":
      return part(term.object);
    case "call":
      return `${term.name}(${term.arguments.map(part).join(", ")})`;
    case "expand":
      return `${term.definition.name}(${term.arguments.map(part).join(", ")})`;
    case "unary":
      return `${term.operator}(${part(term.operand)})`;
    case "binary":
      return `(${part(term.left)} ${term.operator} ${part(term.right)})`;
    case "conditional":
      return `(${[term.condition, term.then, term.otherwise].map(part).join(" ? ")})`;
    case "oneOf":
      return `${part(term.element)} in {${term.set.map(part).join(", ")}}`;
    case "list":
      return `{${term.elements.map(part).join(", ")}}`;
    case "inRange":
      return `${part(term.element)} in ${part(term.range)}`;
    case "quantifier": {
      const filter = term.filter === undefined ? "" : ` if ${part(term.filter)}`;
      const { quantifier, variable, collection, body } = term;
      return `(${quantifier} ${variable.name} in ${part(collection)}${filter} : ${part(body)})`;
    }
    case "let":
      return `(let ${term.variable.name} = ${part(term.value)} : ${part(term.body)})`;
    case "old":
      return `old(${part(term.body)})`;
  }
}
