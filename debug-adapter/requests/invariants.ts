/** Requests about invariants: which are checked, how, and what they say. */
import { loadedIn, stoppedIn } from "../context.ts";
import type { Handlers } from "./types.ts";

export const invariantRequests: Handlers<
  | ("minvisor/setInvariants" | "minvisor/setInvariantPolicy" | "minvisor/invariants")
  | "minvisor/invariantExpression"
> = {
  "minvisor/setInvariants": (context, { files }) => {
    const { invariants } = stoppedIn(context);
    const problems = invariants.replace(files);
    context.afterResponse(() => invariants.tell());
    return { problems, invariants: invariants.status() };
  },

  "minvisor/invariantExpression": (context, { expression }) =>
    stoppedIn(context).invariants.evaluate(expression),

  "minvisor/setInvariantPolicy": (context, { policies }) => {
    const { invariants } = loadedIn(context);
    invariants.setPolicies(policies);
    context.afterResponse(() => invariants.tell());
    return { invariants: invariants.status() };
  },

  "minvisor/invariants": (context) => ({ invariants: loadedIn(context).invariants.status() }),
};
