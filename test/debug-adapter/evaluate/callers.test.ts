// Registers of frames that made a call: assigned where the frames inside of them saved them.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

const PRESERVED = ["rbx", "rbp", "r12", "r13", "r14", "r15"];

const assign = (expression: string, frameId: number) =>
  client.evaluateRequest({ expression, frameId, context: "repl" });

test("what is assigned in a caller is there when the call returns", async () => {
  await client.begin(SAMPLE);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "count_cpuid" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const wanted = new Map<string, string>();
  for (const [i, name] of PRESERVED.entries()) {
    if (name === "rbp") continue; // its frame's base
    const value = `0x${(0x1111n * BigInt(i + 1)).toString(16)}`;
    await assign(`$${name} = ${value}`, 2);
    expect(await client.value(`$${name}`, 2)).toContain(value);
    wanted.set(name, value);
  }
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  await client.go("stepOut");
  for (const [name, value] of wanted) expect(await client.value(`$${name}`, 1)).toContain(value);
});

test("a variables view sets them too, and what was not kept is refused", async () => {
  await client.begin(SAMPLE);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "count_cpuid" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const { scopes } = (await client.scopesRequest({ frameId: 2 })).body;
  const { variablesReference = 0 } = scopes.find(({ name }) => name === "Host registers") ?? {};
  await client.setVariableRequest({ variablesReference, name: "rbx", value: "0x77" });
  expect(await client.value("$rbx", 2)).toContain("0x77");
  await expect(assign("$r10 = 1", 2)).rejects.toThrow(/not known in this frame/);
});
