/** The Locals scope: parameters and locals of a frame's C function. */
import type { Debuggee } from "../debuggee.ts";
import type { Term } from "../expression/evaluate.ts";
import { formatTerm } from "../format.ts";
import { spaceOf, valueTerm } from "../names.ts";
import type { CodeFrame } from "../stack.ts";
import { readValue } from "../symbols/value.ts";
import type { VariableNode } from "../variables.ts";

export function localVariables(debuggee: Debuggee, frame: CodeFrame): VariableNode[] {
  const space = spaceOf(debuggee, frame.world);
  return frame.variables.map((variable) => {
    const location = variable.locate(frame.state);
    const value = readValue(variable.name, variable.type, location, frame.state);
    const node = termNode(variable.name, valueTerm(value, space));
    if (value.unavailable === undefined) return { ...node, evaluateName: variable.name };
    return { ...node, value: unavailableText(value.unavailable) };
  });
}

/** A term as a variable with what is inside it. */
export function termNode(name: string, term: Term): VariableNode {
  const { childCount = 0, children } = term;
  const indexed = /\[\d*\]$/.test(term.type ?? "") ? { indexed: childCount } : {};
  return {
    name,
    value: formatTerm(term),
    ...(term.type === undefined ? {} : { type: term.type }),
    ...(term.reference === undefined ? {} : { memoryReference: term.reference }),
    ...(children === undefined || childCount === 0
      ? {}
      : {
          children: {
            ...indexed,
            list: (start, count) =>
              children(start, count).map((each) => termNode(each.name, each.term)),
          },
        }),
  };
}

function unavailableText(reason: string): string {
  return reason.startsWith("not available yet") ? "not available yet" : `not available: ${reason}`;
}
