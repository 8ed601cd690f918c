/** The Locals scope: parameters and locals of a frame's C function. */

import { sizeOf, stripped } from "../../symbols/types.ts";
import type { Variable } from "../../symbols/variable.ts";
import type { Debuggee } from "../debuggee.ts";
import { assignText } from "../expression/assign-text.ts";
import type { NamedTerm, Names, Term } from "../expression/term.ts";
import { formatTerm, type ShowNumber } from "../format.ts";
import { homeOf, variableTerm } from "../names/program.ts";
import { assigningNames } from "../names.ts";
import type { CodeFrame } from "../stack.ts";
import type { VariableNode } from "../variables.ts";
import { codeSource } from "./code-source.ts";

export function localVariables(
  debuggee: Debuggee,
  frame: CodeFrame,
  show?: ShowNumber,
): VariableNode[] {
  const home = homeOf(debuggee, frame.world, frame);
  const names = assigningNames(debuggee, frame, () => undefined);
  return frame.variables.map((variable) => {
    const term = variableTerm(home, variable);
    // A shadowed variable has no name of its own in an expression.
    const expression = variable.isShadowed ? undefined : variable.name;
    const node = {
      ...termNode({ name: variable.name, term }, { expression, names, show }),
      ...sourceLines(debuggee, frame, variable, term),
    };
    if (term.unavailable === undefined) return node;
    const { evaluateName: _, ...rest } = node;
    return { ...rest, value: unavailableText(term.unavailable) };
  });
}

/** Where the variable is declared, and the function that a pointer to one points at. */
function sourceLines(
  debuggee: Debuggee,
  { location, world, image }: CodeFrame,
  { line, declaredIn }: Variable,
  { type = "", number }: Term,
): Pick<VariableNode, "declaration" | "target"> {
  const isFunction = type.includes("(*") && number !== undefined;
  const target = isFunction ? codeSource(debuggee, world, number) : undefined;
  const path = declaredIn && image ? image.clientPathOf(declaredIn) : location?.path;
  return {
    ...(line === undefined || path === undefined ? {} : { declaration: { path, line } }),
    ...(target === undefined ? {} : { target }),
  };
}

export interface NodeOptions {
  /** What to write for the value in a watch. */
  readonly expression?: string | undefined;
  /** With them the value can be set where it has a place. */
  readonly names?: Names | undefined;
  readonly show?: ShowNumber | undefined;
}

/** A term as a variable with what is inside it. */
export function termNode({ name, term }: NamedTerm, options: NodeOptions): VariableNode {
  const { expression, names, show } = options;
  const { type, place, reference } = term;
  const children = childrenOf(name, term, options);
  return {
    name,
    value: valueText(term, show),
    ...(type === undefined ? {} : { type }),
    ...(reference === undefined ? {} : { memoryReference: reference }),
    ...(expression === undefined || name === "" ? {} : { evaluateName: expression }),
    ...(place === undefined ? {} : { place }),
    ...(children === undefined ? {} : { children }),
    ...(names?.store !== undefined && isSettable(term)
      ? { set: (text: string) => formatTerm(assignText(term, text, names), show) }
      : {}),
  };
}

/** Structures and arrays are set part by part, but text as a whole. */
function isSettable({ ctype, place, unavailable }: Term): boolean {
  const type = ctype && stripped(ctype);
  if (place === undefined || unavailable !== undefined) return false;
  if (type?.kind === "array") return sizeOf(type.element) === 1;
  return type?.kind !== "struct" && type?.kind !== "union";
}

function valueText(term: Term, show: ShowNumber | undefined): string {
  try {
    return formatTerm(term, show);
  } catch (caught) {
    return `<${(caught as Error).message}>`;
  }
}

function childrenOf(name: string, term: Term, options: NodeOptions): VariableNode["children"] {
  const { childCount = 0, children } = term;
  if (children === undefined || childCount === 0) return undefined;
  const { expression, names } = options;
  const indexed = /\[\d*\]$/.test(term.type ?? "") ? { indexed: childCount } : {};
  return {
    ...indexed,
    list: (start, count, show) =>
      children(start, count).map((each) =>
        termNode(
          { ...each, name: each.name === "*" ? `*${name}` : each.name },
          {
            expression: expression === undefined ? undefined : each.expression?.(expression),
            names,
            show,
          },
        ),
      ),
  };
}

function unavailableText(reason: string): string {
  return reason.startsWith("not available yet") ? "not available yet" : `not available: ${reason}`;
}
