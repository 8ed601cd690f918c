// What clients rely on around expressions: events, formats, bounds, and no side effects.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
  await client.initializeRequest({
    adapterID: "minvisor",
    supportsMemoryEvent: true,
    supportsInvalidatedEvent: true,
  });
  const initialized = client.waitForEvent("initialized");
  await client.launchRequest(SAMPLE as DebugProtocol.LaunchRequestArguments);
  await initialized;
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "exit_cpuid" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
});
afterEach(() => client.stop());

const evaluate = async (expression: string, context?: string, more: object = {}) => {
  const { body } = await client.send("evaluate", { expression, context, frameId: 1, ...more });
  return body as DebugProtocol.EvaluateResponse["body"];
};

test("an assignment tells the client to look again, at memory too", async () => {
  const where = (await evaluate("guest.rdx")).memoryReference;
  const memory = client.waitForEvent("memory");
  const invalidated = client.waitForEvent("invalidated");
  await evaluate("guest.rdx = 0x55", "repl");
  expect((await memory).body).toEqual({ memoryReference: where, offset: 0, count: 8 });
  await invalidated;
  const ofField = client.waitForEvent("memory");
  await evaluate("vmcb.nRIP = 7", "repl");
  const [field, address] = [await evaluate("vmcb.nRIP"), await evaluate("&vmcb.nRIP")];
  expect((await ofField).body.memoryReference).toBe(field.memoryReference);
  expect(field.result).toBe("0x7");
  expect(field.memoryReference).toBe(`hpa:${address.result}`);
});

test("only the debug console assigns", async () => {
  for (const context of ["watch", "hover", "clipboard", "variables", undefined]) {
    const args = { expression: "guest.rdx = 0x55", context, frameId: 1 };
    expect(await client.failure("evaluate", args)).toMatch(/only the debug console does/);
  }
  expect((await evaluate("guest.rdx")).result).toBe("0x3f8");
});

test("a local in a register is set there", async () => {
  let stepped = 0;
  while (!(await evaluate("leaf")).result.startsWith("0x") && stepped++ < 4)
    await client.go("next");
  const { result: before, memoryReference } = await evaluate("leaf");
  expect(memoryReference).toBeUndefined();
  const { body } = await client.send("setExpression", {
    expression: "leaf",
    value: "leaf + 0x8000000a",
    frameId: 1,
  });
  expect(BigInt(body.value)).toBe(BigInt(before) + 0x8000000an);
  expect((await evaluate("leaf")).result).toBe(body.value);
  const locals = await client.scope(1, "Locals");
  expect(locals.get("leaf")?.value).toBe(body.value);
});

test("numbers as the session or the request wants them", async () => {
  await client.send("minvisor/setNumberFormat", { format: "decimal" });
  expect((await evaluate("guest.rdx")).result).toBe("1016");
  expect((await evaluate("-1")).result).toBe("-1");
  expect((await evaluate("guest.rdx", "repl")).result).toBe("1016");
  expect((await evaluate("guest.rdx", "watch", { format: { hex: true } })).result).toBe("0x3f8");
  expect((await evaluate("$vmcb.exitcode")).result).toBe("114");
  const { value } = (await client.send("setExpression", { expression: "guest.rdx", value: "9" }))
    .body;
  expect(value).toBe("9");
});

test("the clipboard gets all of a value", async () => {
  const [brief, whole] = [await evaluate("exit_table"), await evaluate("exit_table", "clipboard")];
  expect(brief.result).toMatch(/^\{\{code = 0x72, name = 0x[0-9a-f]+ "CPUID".*\.\.\.\}/);
  expect(brief.result.length).toBeLessThan(200);
  expect(whole.result).toContain('"INVALID", handle = ');
  expect(whole.result).toContain("<exit_invalid>");
  expect(whole.result).not.toContain("...");
});

test("absurd arrays, wild and cyclic pointers are bounded", async () => {
  const huge = await evaluate("*(int (*)[0x7fffffff])0x1000");
  expect(huge.indexedVariables).toBe(0x7fffffff);
  const { variablesReference } = huge;
  const args = { variablesReference, start: 0x7ffffff0, count: 100 };
  const { variables } = (await client.variablesRequest(args)).body;
  expect(variables).toHaveLength(15);
  expect(variables[0]?.name).toBe("[2147483632]");
  const whole = await evaluate("*(int (*)[0x7fffffff])0x1000", "clipboard");
  expect(whole.result.length).toBeLessThan(1 << 20);
  expect(whole.result).toMatch(/, \.\.\.\}$/);
  // A pointer that points at itself goes on for as long as someone expands it, and no further.
  await evaluate("@hpa(0x7000) = 0x7000", "repl");
  let { variablesReference: at } = await evaluate("(void ***)0x7000");
  for (let i = 0; i < 20 && at !== 0; i++) {
    const [child] = (await client.variablesRequest({ variablesReference: at })).body.variables;
    at = child?.variablesReference ?? 0;
  }
  expect(at).toBe(0);
  expect((await evaluate("*(char **)0x7000")).result).toMatch(/^0x7000 "/);
  expect((await evaluate("(char *)0xffff800000000000")).result).toBe("0xffff800000000000");
});

test("children have expressions that give the same value", async () => {
  const queue = ["exit_table", "&vmcb", "(struct exit *)exit_table", "guest", "$cs", "vmcb.CS"];
  let compared = 0;
  for (let expression = queue.shift(); expression; expression = queue.shift()) {
    const { variablesReference, indexedVariables } = await evaluate(expression);
    if (variablesReference === 0) continue;
    const page = indexedVariables ? { start: 1, count: 3 } : {};
    const children = (await client.variablesRequest({ variablesReference, ...page })).body;
    for (const { evaluateName, value, name } of children.variables) {
      expect(evaluateName, `${name} of ${expression}`).toBeDefined();
      const again = await evaluate(evaluateName ?? "");
      expect([evaluateName, again.result]).toEqual([evaluateName, value]);
      if (compared++ < 60) queue.push(evaluateName ?? "");
    }
  }
  expect(compared).toBeGreaterThan(100);
});

test("conditions of source breakpoints see C", async () => {
  await client.setFunctionBreakpointsRequest({
    breakpoints: [
      {
        name: "handle_exit",
        condition:
          "vmcb.control.exit_code == EXIT_IOIO && (u16)(vmcb.control.exit_info_1 >> 16) == 0x604",
      },
    ],
  });
  await client.go("continue");
  expect((await evaluate("reason")).result).toBe("IOIO");
  expect((await evaluate("port")).result).toBe("0x604");
});
