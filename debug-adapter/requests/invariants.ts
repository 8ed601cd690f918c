/** Requests about invariants: which are checked, how, and what they say. */
import { loadedIn, stoppedIn } from "../context.ts";
import { inquireAside } from "../time-travel/inquiry.ts";
import { recordedIn } from "./recorded.ts";
import type { Handlers } from "./types.ts";

export const invariantRequests: Handlers<
  | ("minvisor/setInvariants" | "minvisor/setInvariantPolicy" | "minvisor/invariants")
  | ("minvisor/invariantExpression" | "minvisor/checkRun")
> = {
  "minvisor/setInvariants": (context, { files, policies = {} }) => {
    const { invariants } = stoppedIn(context);
    const problems = invariants.replace(files, policies);
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

  "minvisor/checkRun": async (context, { files = [], stopAtFirst = false }) => {
    const { timeline } = recordedIn(context);
    const { invariants } = stoppedIn(context);
    const steps = invariants.checkRun(timeline, files, stopAtFirst);
    const body = await inquireAside(context, "Checking the whole run", steps);
    context.afterResponse(() => invariants.tell());
    return body;
  },

  "minvisor/invariants": (context) => ({ invariants: loadedIn(context).invariants.status() }),
};
