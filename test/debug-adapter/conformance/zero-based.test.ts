// A client that counts lines and columns from 0 gets what one that counts from 1 gets, each of them less 1.
import { readFileSync } from "node:fs";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inRepository, SAMPLE } from "../../harness/dap-adapter.ts";
import { CONFIGURATION, VSCode } from "./vscode-client.ts";

const MAIN_C = { path: inRepository("test/guests/sample/main.c") };
const CPUID_C = { path: inRepository("minvisor/exit_cpuid.c") };
const lineOf = (path: string, text: string): number =>
  readFileSync(path, "utf8")
    .split("\n")
    .findIndex((line) => line.includes(text)) + 1;

const POSITIONS: ReadonlySet<string> = new Set([
  ...["line", "endLine", "column", "endColumn", "start", "lines"],
]);

/** The same with every line and column less 1; 0 stands for no line at all. */
function lessOne(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => lessOne(each, name));
  if (typeof value === "number") return POSITIONS.has(name) && value > 0 ? value - 1 : value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, lessOne(each, key)]));
}

function positionsIn(value: unknown): number {
  const json = JSON.stringify(value ?? null);
  return (json.match(/"(line|column|endLine|start)":[1-9]/g) ?? []).length;
}

let ones: VSCode;
let zeros: VSCode;
const events = new Map<VSCode, unknown[]>();
beforeAll(async () => {
  for (const base of [1, 0]) {
    const client = await VSCode.start();
    const seen: unknown[] = [];
    events.set(client, seen);
    for (const event of ["breakpoint", "stopped", "loadedSource"])
      client.on(event, ({ body }: DP.Event) => seen.push(body));
    const configuration = { ...CONFIGURATION, ...SAMPLE };
    await client.open(configuration, { linesStartAt1: base === 1, columnsStartAt1: base === 1 });
    if (base === 1) ones = client;
    else zeros = client;
  }
});
afterAll(async () => {
  await ones.stop();
  await zeros.stop();
});

/** Asks both, and returns the body that the client that counts from 1 got. */
async function ask<T>(command: string, args: object = {}, least = 1): Promise<T> {
  const { body } = await ones.send(command, args);
  const other = await zeros.send(command, lessOne(args) as object);
  expect(positionsIn(body), `${command} has lines or columns`).toBeGreaterThanOrEqual(least);
  expect(other.body, command).toEqual(lessOne(body));
  return body as T;
}

async function bothStop(): Promise<void> {
  const stop = await ones.nextStop();
  expect(await zeros.nextStop()).toEqual(stop);
}

test("breakpoints before the machine runs, and the events of those that were pending", async () => {
  const line = lineOf(CPUID_C.path, "count_cpuid(leaf)");
  await ask("breakpointLocations", { source: CPUID_C, line: 1, endLine: line, column: 1 }, 3);
  await ask("setBreakpoints", { source: CPUID_C, breakpoints: [{ line, column: 3 }] });
  await ask("setBreakpoints", { source: MAIN_C, lines: [lineOf(MAIN_C.path, "cpuid: SVM")] });
  await ask("setFunctionBreakpoints", { breakpoints: [{ name: "guest_main" }] });
  await ask("setExceptionBreakpoints", { filters: [], filterOptions: [] }, 0);
  await ask("configurationDone", {}, 0);
  await bothStop();
  const [seen, others] = [events.get(ones), events.get(zeros)];
  expect(others).toEqual(lessOne(seen));
  expect(positionsIn(seen)).toBeGreaterThan(0);
});

test("stack, disassembly, step-in and goto targets, locations, completions", async () => {
  await ask("setFunctionBreakpoints", { breakpoints: [] }, 0);
  for (let i = 0; i < 3; i++) {
    await ask("continue", { threadId: 1 }, 0);
    await bothStop();
    const top = (await ask<DP.StackTraceResponse["body"]>("stackTrace", { threadId: 1 }))
      .stackFrames[0] as DP.StackFrame;
    if (top.source?.path === CPUID_C.path) break;
  }
  const [top] = await ones.frames();
  expect(top?.source?.path).toBe(CPUID_C.path);
  await ask("disassemble", {
    memoryReference: top?.instructionPointerReference,
    instructionOffset: -10,
    instructionCount: 20,
  });
  await ask("stepInTargets", { frameId: top?.id });
  const { targets } = await ask<DP.GotoTargetsResponse["body"]>("gotoTargets", {
    source: CPUID_C,
    line: lineOf(CPUID_C.path, "advance_rip"),
    column: 3,
  });
  expect(targets.length).toBe(1);
  const { scopes } = await ask<DP.ScopesResponse["body"]>("scopes", { frameId: top?.id }, 0);
  const reference = scopes[0]?.variablesReference;
  const { variables } = await ask<DP.VariablesResponse["body"]>(
    "variables",
    { variablesReference: reference },
    0,
  );
  const declared = variables.find((each) => each.declarationLocationReference !== undefined);
  await ask("locations", { locationReference: declared?.declarationLocationReference });
  await ask("completions", { text: "1 +\nvmcb.sa", line: 2, column: 8, frameId: top?.id });
  await ask(
    "evaluate",
    {
      expression: "leaf",
      frameId: top?.id,
      context: "hover",
      line: 16,
      column: 7,
      source: CPUID_C,
    },
    0,
  );
});
