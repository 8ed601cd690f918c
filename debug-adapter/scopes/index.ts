/** The one table of scopes, in the order in which the client shows them. */
import { branch, type Children } from "../variables.ts";
import { deviceScope } from "./devices.ts";
import { exitScope } from "./exit.ts";
import { invariantScope } from "./invariants.ts";
import { localVariables } from "./locals.ts";
import { msrScope } from "./msrs.ts";
import { nestedPagingScope } from "./nested-paging.ts";
import { registerScope } from "./registers.ts";
import type { Scope, ScopeView } from "./view.ts";
import { vmcbScope } from "./vmcb.ts";

const localScope: Scope = {
  name: "Locals",
  hint: "locals",
  children: ({ debuggee, frame }) =>
    frame.kind === "code" ? branch((show) => localVariables(debuggee, frame, show)) : undefined,
};

const SCOPES: readonly Scope[] = [
  localScope,
  exitScope,
  registerScope("guest"),
  registerScope("host"),
  vmcbScope("control"),
  vmcbScope("save"),
  nestedPagingScope,
  msrScope,
  deviceScope,
  invariantScope,
];

export interface FrameScope {
  readonly scope: Scope;
  readonly children: Children;
}

/** The scopes that a frame has. */
export function scopesOf(view: ScopeView): FrameScope[] {
  return SCOPES.flatMap((scope) => {
    const children = scope.children(view);
    return children === undefined ? [] : [{ scope, children }];
  });
}
