/** The Locals scope: parameters and locals of a frame's C function. */
import type { Debuggee } from "../debuggee.ts";
import { assignText } from "../expression/assign-text.ts";
import type { NamedTerm, Names, Term } from "../expression/term.ts";
import { formatTerm, type ShowNumber } from "../format.ts";
import { homeOf, variableTerm } from "../names/program.ts";
import { assigningNames } from "../names.ts";
import type { CodeFrame } from "../stack.ts";
import type { VariableNode } from "../variables.ts";

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
    const node = termNode({ name: variable.name, term }, { expression, names, show });
    if (term.unavailable === undefined) return node;
    const { evaluateName: _, ...rest } = node;
    return { ...rest, value: unavailableText(term.unavailable) };
  });
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
    ...(names?.store === undefined || place === undefined || isRecord(term)
      ? {}
      : { set: (text: string) => formatTerm(assignText(term, text, names), show) }),
  };
}

/** Structures are set member by member. */
const isRecord = ({ ctype, number, real, text, shown }: Term): boolean =>
  ctype !== undefined && number === undefined && real === undefined && text === undefined
    ? !shown?.startsWith('"')
    : false;

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
