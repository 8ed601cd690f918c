/** The Invariants scope: what each invariant says so far, and how often it was checked. */
import { branch, type VariableNode } from "../variables.ts";
import type { Scope } from "./view.ts";

export const invariantScope: Scope = {
  name: "Invariants",
  children: ({ invariants }) => {
    if (invariants().length === 0) return undefined;
    return branch(() =>
      invariants().map(({ name, verdict, checks }): VariableNode => {
        const times = checks === 1 ? "once" : `${checks} times`;
        return { name, value: checks === 0 ? "not checked yet" : `${verdict}, checked ${times}` };
      }),
    );
  },
};
