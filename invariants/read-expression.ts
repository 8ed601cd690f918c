/** Checks one expression of the invariant language by itself, with the definitions of some files. */
import { check } from "./language/check.ts";
import type { ProgramNames } from "./language/declarations.ts";
import { parse } from "./language/parser.ts";
import type { Term } from "./language/term.ts";
import { BUILT_INS } from "./model/index.ts";

/** Where the expression stands while it is checked: no name of a file's is as long. */
const HOLDER = "expression_that_is_asked_for";

/** Throws a RangeError of one sentence for what is no expression, or has an error in it. */
export function readExpression(
  expression: string,
  files: readonly { readonly path: string; readonly text: string }[],
  program: ProgramNames | undefined,
): Term {
  const asked = { path: HOLDER, text: `define ${HOLDER} = ${expression}\n;` };
  const sources = [...files, asked].map(({ path, text }) => ({ path, ...parse(text) }));
  const file = check(sources, BUILT_INS, program).at(-1);
  const error = file?.diagnostics.find(({ severity }) => severity === "error");
  if (error !== undefined) throw new RangeError(error.message);
  const [definition, ...more] = file?.definitions ?? [];
  if (definition === undefined || more.length > 0) throw new RangeError("It is not one expression");
  return definition.body;
}
