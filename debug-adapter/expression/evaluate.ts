/** Evaluates a parsed expression over whatever its names stand for. */
import { compile } from "./compile.ts";
import type { Node } from "./syntax.ts";
import type { Names, Term } from "./term.ts";

export { isTrue, numberOf } from "./arithmetic.ts";
export { type Compiled, compile } from "./compile.ts";
export type { NamedTerm, Names, Term } from "./term.ts";

/** Changes nothing unless the expression assigns and the names let it. Throws UserErrors. */
export function evaluate(node: Node, names: Names): Term {
  return compile(node)(names);
}
