/** A term as text: the key of what it reads in an exported state. */
import type { Term } from "./term.ts";

/** One text for each way to read; terms that differ in what they read have different texts. */
export function termText(term: Term): string {
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
      return `${termText(term.object)}.${term.name}`;
    case "element":
      return `${termText(term.object)}[${termText(term.index)}]`;
    case "dereference":
      return `*(${termText(term.pointer)})`;
    case "addressOf":
      return `&(${termText(term.object)})`;
    case "load":
      return termText(term.object);
    case "call":
      return `${term.name}(${term.arguments.map(termText).join(", ")})`;
    case "expand":
      return `${term.definition.name}(${term.arguments.map(termText).join(", ")})`;
    case "unary":
      return `${term.operator}(${termText(term.operand)})`;
    case "binary":
      return `(${termText(term.left)} ${term.operator} ${termText(term.right)})`;
    case "conditional":
      return `(${[term.condition, term.then, term.otherwise].map(termText).join(" ? ")})`;
    case "oneOf":
      return `${termText(term.element)} in {${term.set.map(termText).join(", ")}}`;
    case "list":
      return `{${term.elements.map(termText).join(", ")}}`;
    case "inRange":
      return `${termText(term.element)} in ${termText(term.range)}`;
    case "quantifier": {
      const filter = term.filter === undefined ? "" : ` if ${termText(term.filter)}`;
      const { quantifier, variable, collection, body } = term;
      return `(${quantifier} ${variable.name} in ${termText(collection)}${filter} : ${termText(body)})`;
    }
    case "let":
      return `(let ${term.variable.name} = ${termText(term.value)} : ${termText(term.body)})`;
    case "old":
      return `old(${termText(term.body)})`;
  }
}
