/** The Locals scope: parameters and locals of a frame's C function. */
import type { Debuggee } from "../debuggee.ts";
import type { Term } from "../expression/evaluate.ts";
import { formatTerm, type ShowNumber } from "../format.ts";
import { spaceOf, valueTerm } from "../names.ts";
import type { CodeFrame } from "../stack.ts";
import { readValue, type Value } from "../symbols/value.ts";
import type { VariableNode } from "../variables.ts";
import { codeSource } from "./code-source.ts";

export function localVariables(
  debuggee: Debuggee,
  frame: CodeFrame,
  show: ShowNumber,
): VariableNode[] {
  const space = spaceOf(debuggee, frame.world);
  const options = { hex: show.format === "hexadecimal" };
  return frame.variables.map((variable) => {
    const { name, type, line } = variable;
    const value = readValue(name, type, variable.locate(frame.state), frame.state, options);
    const path = frame.location?.path;
    const target = functionOf(debuggee, frame, value);
    const node: VariableNode = {
      ...termNode(name, valueTerm(value, space), show),
      ...(line === undefined || path === undefined ? {} : { declaration: { path, line } }),
      ...(target === undefined ? {} : { target }),
    };
    if (value.unavailable === undefined) return { ...node, evaluateName: name };
    return { ...node, value: unavailableText(value.unavailable) };
  });
}

/** Where the function is that a pointer to one points at. */
function functionOf(debuggee: Debuggee, { world }: CodeFrame, { type, number }: Value) {
  return /\(\*/.test(type) && number !== undefined
    ? codeSource(debuggee, world, number)
    : undefined;
}

/** A term as a variable with what is inside it. */
export function termNode(name: string, term: Term, show?: ShowNumber): VariableNode {
  const { childCount = 0, children } = term;
  const indexed = /\[\d*\]$/.test(term.type ?? "") ? { indexed: childCount } : {};
  return {
    name,
    value: formatTerm(term, show),
    ...(term.type === undefined ? {} : { type: term.type }),
    ...(term.reference === undefined ? {} : { memoryReference: term.reference }),
    ...(children === undefined || childCount === 0
      ? {}
      : {
          children: {
            ...indexed,
            list: (start, count, numbers) =>
              children(start, count).map((each) => termNode(each.name, each.term, numbers)),
          },
        }),
  };
}

function unavailableText(reason: string): string {
  return reason.startsWith("not available yet") ? "not available yet" : `not available: ${reason}`;
}
