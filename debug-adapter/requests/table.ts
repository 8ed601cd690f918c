/** The one table of requests: a request without a handler does not compile. */
import { addressRequests } from "./addresses.ts";
import { breakpointRequests } from "./breakpoints.ts";
import { customRequests } from "./custom.ts";
import { evaluateRequests } from "./evaluate.ts";
import { exceptionRequests } from "./exception-info.ts";
import { executionRequests } from "./execution.ts";
import { ledgerRequests } from "./exit-ledger.ts";
import { futureRequests } from "./futures.ts";
import { gotoRequests } from "./goto.ts";
import { invariantRequests } from "./invariants.ts";
import { lifecycleRequests } from "./lifecycle.ts";
import { memoryRequests } from "./memory.ts";
import { sourceRequests } from "./sources.ts";
import { stackRequests } from "./stack.ts";
import { timeRequests } from "./time.ts";
import type { RequestName, RequestTable } from "./types.ts";
import { variableRequests } from "./variables.ts";

export const REQUESTS: RequestTable = {
  ...lifecycleRequests,
  ...executionRequests,
  ...gotoRequests,
  ...breakpointRequests,
  ...exceptionRequests,
  ...stackRequests,
  ...variableRequests,
  ...sourceRequests,
  ...evaluateRequests,
  ...memoryRequests,
  ...addressRequests,
  ...timeRequests,
  ...futureRequests,
  ...ledgerRequests,
  ...invariantRequests,
  ...customRequests,
};

export function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(REQUESTS, name);
}
