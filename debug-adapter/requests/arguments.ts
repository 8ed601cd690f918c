/** What each request takes: checked before its handler, so that handlers can trust the types. */
import * as v from "valibot";
import {
  EXIT_GROUPS,
  EXIT_SORTS,
  INVARIANT_POLICIES,
  OCCURRENCES,
  STEP_POLICIES,
} from "../protocol.ts";
import { UserError } from "../text.ts";
import type { RequestName, Requests } from "./types.ts";

type Entries<A> = { readonly [K in keyof A]-?: v.GenericSchema<unknown, A[K]> };

// The message of a schema is what it expects, in words.
const whole = v.pipe(v.number("a whole number"), v.safeInteger("a whole number"));
const text = v.string("a text");
const flag = v.boolean("true or false");
/** Handlers do not look at it, or check it themselves. */
const any = v.any();

const maybe = <T>(schema: v.GenericSchema<unknown, T>) => v.optional(schema);
const list = <T>(schema: v.GenericSchema<unknown, T>) => v.array(schema, "an array");
const oneOf = <const T extends string>(...values: readonly T[]) =>
  v.picklist(values, values.map((each) => `"${each}"`).join(" or "));
const record = <E extends v.ObjectEntries>(entries: E) => v.object(entries, "an object");

const source = record({
  name: maybe(text),
  path: maybe(text),
  sourceReference: maybe(whole),
});
const valueFormat = record({ hex: maybe(flag) });
const frameFormat = record({
  hex: maybe(flag),
  parameters: maybe(flag),
  parameterTypes: maybe(flag),
  parameterNames: maybe(flag),
  parameterValues: maybe(flag),
  line: maybe(flag),
  module: maybe(flag),
  includeAll: maybe(flag),
});
const granularity = maybe(oneOf("statement", "line", "instruction"));
const options = { condition: maybe(text), hitCondition: maybe(text) };
const logging = { ...options, logMessage: maybe(text) };
const thread = { threadId: whole, singleThread: maybe(flag) };
const attributes = { noDebug: any, __restart: any };

const invariantPolicies = v.record(v.string(), oneOf(...INVARIANT_POLICIES), "an object");

const watched = {
  name: text,
  variablesReference: maybe(whole),
  frameId: maybe(whole),
  bytes: maybe(whole),
  asAddress: maybe(flag),
  mode: maybe(text),
};

export const ARGUMENTS: { readonly [R in RequestName]: Entries<Requests[R]["arguments"]> } = {
  initialize: {
    adapterID: maybe(text) as v.GenericSchema<unknown, string>,
    clientID: maybe(text),
    clientName: maybe(text),
    locale: maybe(text),
    linesStartAt1: maybe(flag),
    columnsStartAt1: maybe(flag),
    pathFormat: maybe(text),
    supportsVariableType: maybe(flag),
    supportsVariablePaging: maybe(flag),
    supportsRunInTerminalRequest: maybe(flag),
    supportsMemoryReferences: maybe(flag),
    supportsProgressReporting: maybe(flag),
    supportsInvalidatedEvent: maybe(flag),
    supportsMemoryEvent: maybe(flag),
    supportsArgsCanBeInterpretedByShell: maybe(flag),
    supportsStartDebuggingRequest: maybe(flag),
    supportsANSIStyling: maybe(flag),
  },
  launch: attributes,
  attach: attributes,
  configurationDone: {},
  restart: { arguments: maybe(record({})) as v.GenericSchema<unknown, object | undefined> },
  disconnect: {
    restart: maybe(flag),
    terminateDebuggee: maybe(flag),
    suspendDebuggee: maybe(flag),
  },
  terminate: { restart: maybe(flag) },
  cancel: { requestId: maybe(whole), progressId: maybe(text) },
  threads: {},
  continue: thread,
  pause: { threadId: whole },
  next: { ...thread, granularity },
  stepIn: { ...thread, granularity, targetId: maybe(whole) },
  stepOut: { ...thread, granularity },
  stepBack: { ...thread, granularity },
  reverseContinue: thread,
  restartFrame: { frameId: whole },
  stepInTargets: { frameId: whole },
  gotoTargets: { source, line: whole, column: maybe(whole) },
  goto: { threadId: whole, targetId: whole },
  terminateThreads: { threadIds: maybe(list(whole)) },
  setBreakpoints: {
    source,
    breakpoints: maybe(
      list(record({ line: whole, column: maybe(whole), mode: maybe(text), ...logging })),
    ),
    lines: maybe(list(whole)),
    sourceModified: maybe(flag),
  },
  setFunctionBreakpoints: { breakpoints: list(record({ name: text, ...options })) },
  setInstructionBreakpoints: {
    breakpoints: list(
      record({
        instructionReference: text,
        offset: maybe(whole),
        mode: maybe(text),
        ...options,
      }),
    ),
  },
  setExceptionBreakpoints: {
    filters: list(text),
    filterOptions: maybe(
      list(record({ filterId: text, condition: maybe(text), mode: maybe(text) })),
    ),
    exceptionOptions: any,
  },
  dataBreakpointInfo: watched,
  setDataBreakpoints: {
    breakpoints: list(
      record({
        dataId: text,
        accessType: maybe(oneOf("read", "write", "readWrite")),
        ...options,
      }),
    ),
  },
  breakpointLocations: {
    source,
    line: whole,
    column: maybe(whole),
    endLine: maybe(whole),
    endColumn: maybe(whole),
  },
  exceptionInfo: { threadId: whole },
  stackTrace: {
    threadId: whole,
    startFrame: maybe(whole),
    levels: maybe(whole),
    format: maybe(frameFormat),
  },
  scopes: { frameId: whole },
  variables: {
    variablesReference: whole,
    filter: maybe(oneOf("indexed", "named")),
    start: maybe(whole),
    count: maybe(whole),
    format: maybe(valueFormat),
  },
  locations: { locationReference: whole },
  setVariable: {
    variablesReference: whole,
    name: text,
    value: text,
    format: maybe(valueFormat),
  },
  source: {
    source: maybe(source),
    sourceReference: maybe(whole) as v.GenericSchema<unknown, number>,
  },
  loadedSources: {},
  modules: { startModule: maybe(whole), moduleCount: maybe(whole) },
  evaluate: {
    expression: text,
    frameId: maybe(whole),
    line: maybe(whole),
    column: maybe(whole),
    source: maybe(source),
    context: maybe(text),
    format: maybe(valueFormat),
  },
  setExpression: {
    expression: text,
    value: text,
    frameId: maybe(whole),
    format: maybe(valueFormat),
  },
  completions: { frameId: maybe(whole), text, column: whole, line: maybe(whole) },
  readMemory: { memoryReference: text, offset: maybe(whole), count: whole },
  writeMemory: {
    memoryReference: text,
    offset: maybe(whole),
    allowPartial: maybe(flag),
    data: text,
  },
  disassemble: {
    memoryReference: text,
    offset: maybe(whole),
    instructionOffset: maybe(whole),
    instructionCount: whole,
    resolveSymbols: maybe(flag),
  },
  "minvisor/translate": {
    memoryReference: text,
    access: maybe(oneOf("read", "write", "execute")),
    user: maybe(flag),
  },
  "minvisor/reverseTranslate": { memoryReference: text, limit: maybe(whole) },
  "minvisor/consoleInput": { port: oneOf("com1", "com2"), text },
  "minvisor/setEventBreakpoints": { breakpoints: list(record({ event: text, ...logging })) },
  "minvisor/exitCodes": {},
  "minvisor/setInvariants": {
    files: list(record({ path: text, text })),
    policies: maybe(invariantPolicies),
  },
  "minvisor/invariantExpression": { expression: text },
  "minvisor/checkRun": {
    files: maybe(list(record({ path: text, text }))),
    stopAtFirst: maybe(flag),
  },
  "minvisor/setInvariantPolicy": {
    policies: invariantPolicies,
  },
  "minvisor/invariants": {},
  "minvisor/exits": {},
  "minvisor/exitLedger": {
    filter: maybe(text),
    sort: maybe(oneOf(...EXIT_SORTS)),
    descending: maybe(flag),
    groupBy: maybe(oneOf(...EXIT_GROUPS)),
    start: maybe(whole),
    count: maybe(whole),
  },
  "minvisor/exitDensity": {
    from: maybe(whole),
    to: maybe(whole),
    buckets: whole,
    filter: maybe(text),
  },
  "minvisor/setNumberFormat": { format: oneOf("hexadecimal", "decimal") },
  "minvisor/setStepPolicy": { policy: oneOf(...STEP_POLICIES) },
  "minvisor/seek": {
    icount: maybe(whole),
    exit: maybe(whole),
    to: maybe(oneOf("start", "end", "previousExit")),
    future: maybe(whole),
    console: maybe(
      record({
        text,
        port: maybe(oneOf("com1", "com2", "debug")),
        occurrence: maybe(oneOf(...OCCURRENCES)),
      }),
    ),
    condition: maybe(text),
    occurrence: maybe(oneOf(...OCCURRENCES)),
    at: maybe(text),
    violation: maybe(oneOf("first")),
    invariant: maybe(text),
    culprit: maybe(text),
  },
  "minvisor/reverse": { threadId: whole, kind: oneOf("over", "in", "out"), granularity },
  "minvisor/lastWriter": watched,
  "minvisor/history": { ...watched, start: maybe(whole), count: maybe(whole) },
  "minvisor/why": { exit: maybe(whole) },
  "minvisor/saveRecording": { path: text },
  "minvisor/timeline": {},
  "minvisor/futures": {},
  "minvisor/compareFutures": { a: whole, b: whole, count: maybe(whole) },
  "minvisor/allowFork": {},
  "minvisor/status": {},
};

/** Handlers of these look at everything that a client may have put there. */
const TAKES_MORE: ReadonlySet<RequestName> = new Set(["launch", "attach", "restart"]);
const LONGEST_VALUE = 60;

/** Some clients send null for what they leave out. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const present = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(present.map(([name, each]) => [name, withoutNulls(each)]));
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length <= LONGEST_VALUE ? json : `${json.slice(0, LONGEST_VALUE)}...`;
}

/** "breakpoints[0].name" */
function pathText(name: string, issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) =>
    typeof key === "number" ? `[${key}]` : `.${String(key)}`,
  );
  return `${name}${keys.join("")}`;
}

/** Throws a UserError of one sentence that names the request and the argument. */
export function checkedArguments<R extends RequestName>(
  command: R,
  given: unknown,
): Requests[R]["arguments"] {
  const isObject = typeof given === "object" && !Array.isArray(given);
  if (given !== undefined && !isObject) {
    throw new UserError(`${command} takes an object of arguments, not ${shown(given)}.`);
  }
  const all = given ?? {};
  const args = TAKES_MORE.has(command) ? all : withoutNulls(all);
  const entries: Readonly<Record<string, v.GenericSchema>> = ARGUMENTS[command];
  for (const [name, schema] of Object.entries(entries)) {
    const { issues } = v.safeParse(schema, (args as Record<string, unknown>)[name]);
    if (issues === undefined) continue;
    const [issue] = issues;
    const path = pathText(name, issue);
    if (issue.input === undefined)
      throw new UserError(`${command} needs "${path}", and it is missing.`);
    throw new UserError(
      `${command} needs "${path}" to be ${issue.message}; it is ${shown(issue.input)}.`,
    );
  }
  return args as Requests[R]["arguments"];
}
