// What a failed response's error says besides its sentence: whether to tell the user, and of what kind it is.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DebugProtocol as DP, ERROR_IDS } from "../../debug-adapter/protocol.ts";
import { SAMPLE } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";

let session: InProcessSession;
beforeAll(async () => {
  session = new InProcessSession();
  await session.begin(SAMPLE);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
});
afterAll(() => session.session.close());

async function refusal(command: string, args: object): Promise<DP.Message> {
  const failure = await session.ask(command, args).then(
    () => undefined,
    (error: Error) => error,
  );
  expect(failure, `${command} was not refused`).toBeDefined();
  return (failure!.cause as { readonly error: DP.Message }).error;
}

test("code that nobody asked for by a reference is no news for the user", async () => {
  const asked = { memoryReference: "", instructionCount: 1 };
  expect(await refusal("disassemble", asked)).toEqual({
    id: ERROR_IDS.other,
    format: "There is no code to disassemble here.",
    showUser: false,
  });
  const wrong = await refusal("disassemble", { ...asked, memoryReference: "xyz:1" });
  expect(wrong).toMatchObject({ id: ERROR_IDS.other, showUser: true });
});

test("a change in the past is refused as that, whichever request makes it", async () => {
  const events = [session.next("continued"), session.next("stopped")];
  await session.ask("minvisor/seek", { exit: 3 });
  await Promise.all(events);
  const { scopes } = await session.ask<DP.ScopesResponse["body"]>("scopes", { frameId: 1 });
  const registers = scopes.find(({ name }) => name === "Host registers")!.variablesReference;
  const changes: [string, object][] = [
    ["evaluate", { expression: "$rbx = 7", context: "repl" }],
    ["setExpression", { expression: "$rbx", value: "7" }],
    ["setVariable", { variablesReference: registers, name: "rbx", value: "7" }],
    ["writeMemory", { memoryReference: "hpa:0x1000", data: "AA==" }],
    ["minvisor/consoleInput", { port: "com1", text: "x" }],
  ];
  for (const [command, args] of changes) {
    const { id, format } = await refusal(command, args);
    expect(format, command).toMatch(/^This is the past: /);
    expect(id, command).toBe(ERROR_IDS.past);
  }
  expect(await refusal("evaluate", { expression: "7 = 7", context: "repl" })).toMatchObject({
    id: ERROR_IDS.other,
  });
});
