/** Requests for scopes and the variables in them. */
import { type Context, stoppedIn } from "../context.ts";
import { type ShowNumber, showIn } from "../format.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { scopesOf } from "../scopes/index.ts";
import { UserError } from "../text.ts";
import type { Children, VariableNode } from "../variables.ts";
import { frameOf, sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";
import { tellWritten } from "./written.ts";

/** The most variables in one answer. */
const MOST = 10_000;

export function variableOf(context: Context, node: VariableNode): DP.Variable {
  const { name, value, type, memoryReference, evaluateName, children, set } = node;
  const { isConstant, declaration, target } = node;
  const attributes = [...(set ? [] : ["readOnly"]), ...(isConstant ? ["constant"] : [])];
  return {
    name,
    value,
    variablesReference: context.variables.add(children),
    ...(children?.indexed === undefined ? {} : { indexedVariables: children.indexed }),
    ...(type === undefined ? {} : { type }),
    ...(memoryReference === undefined ? {} : { memoryReference }),
    ...(evaluateName === undefined ? {} : { evaluateName }),
    ...(attributes.length === 0 ? {} : { presentationHint: { attributes } }),
    ...(declaration && { declarationLocationReference: context.variables.addLine(declaration) }),
    ...(target && { valueLocationReference: context.variables.addLine(target) }),
  };
}

function childrenOf(context: Context, reference: number): Children {
  const children = context.variables.get(reference);
  if (children === undefined) throw new UserError("These variables belong to an earlier stop.");
  return children;
}

/** A count that a client gave: 0 and what is no count mean all there are. */
const bounded = (count: number | undefined): number =>
  count === undefined || !(count > 0) ? MOST : Math.min(Math.floor(count), MOST);

function listed(children: Children, args: DP.VariablesArguments, show: ShowNumber) {
  const isIndexed = children.indexed !== undefined;
  if (args.filter !== undefined && (args.filter === "indexed") !== isIndexed) return [];
  const start = args.start !== undefined && args.start > 0 ? Math.floor(args.start) : 0;
  const count = bounded(args.count);
  const nodes = children.list(start, count, show);
  return isIndexed ? nodes.slice(0, count) : nodes.slice(start, start + count);
}

/** The child of a name; of an array without listing what comes before. */
function named(children: Children, name: string, show: ShowNumber): VariableNode | undefined {
  const index = /^\[(\d+)\]$/.exec(name)?.[1];
  const nodes =
    children.indexed !== undefined && index !== undefined
      ? children.list(Number(index), 1, show)
      : children.list(0, MOST, show);
  return nodes.find((each) => each.name === name);
}

export const variableRequests: Handlers<"scopes" | "variables" | "setVariable" | "locations"> = {
  scopes: (context, args) => {
    const { debuggee, invariants: watch } = stoppedIn(context);
    const invariants = () => watch.status();
    const { disassembler } = context.services;
    const frame = frameOf(context, args.frameId);
    return {
      scopes: scopesOf({ debuggee, frame, disassembler, invariants }).map(
        ({ scope, children }) => ({
          name: scope.name,
          variablesReference: context.variables.add(children),
          expensive: scope.expensive ?? false,
          ...(scope.hint === undefined ? {} : { presentationHint: scope.hint }),
        }),
      ),
    };
  },

  variables: (context, args) => {
    stoppedIn(context);
    const children = childrenOf(context, args.variablesReference);
    const nodes = listed(children, args, showIn(context, args.format));
    return { variables: nodes.map((node) => variableOf(context, node)) };
  },

  setVariable: (context, args) => {
    stoppedIn(context);
    const children = childrenOf(context, args.variablesReference);
    const node = named(children, args.name, showIn(context, args.format));
    if (node === undefined) throw new UserError(`There is no variable ${args.name} here.`);
    if (node.set === undefined) throw new UserError(`${args.name} cannot be set.`);
    const value = node.set(args.value);
    tellWritten(context, node.place);
    return { value };
  },

  locations: (context, args) => {
    stoppedIn(context);
    const line = context.variables.line(args.locationReference);
    if (line === undefined) throw new UserError("This location belongs to an earlier stop.");
    const base = context.client.linesStartAt1 ? 0 : 1;
    return { source: sourceOf(line.path), line: line.line - base };
  },
};
