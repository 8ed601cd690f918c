// Expressions in a 32-bit PAE host: word size, static names that several files have, registers.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient, WARDEN } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
  await client.begin(WARDEN);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "handle_call" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
});
afterEach(() => client.stop());

const value = (expression: string) => client.value(expression, 1);
const set = async (expression: string) =>
  (await client.evaluateRequest({ expression, frameId: 1, context: "repl" })).body.result;

const VALUES: readonly (readonly [string, string])[] = [
  ["sizeof(long)", "0x4"],
  ["sizeof(void *)", "0x4"],
  ["sizeof(u64)", "0x8"],
  ["4294967295 + 1", "0x100000000"],
  ["0xfffffffful + 1", "0x0"],
  ["(u32)(ward + 1) - (u32)ward == sizeof(struct ward)", "0x1"],
  [
    "&ward->registers == (struct ward_registers *)((u32)ward + ((u32)&ward->registers - (u32)ward))",
    "0x1",
  ],
  ["ward->vmcb->rax == $guest.rax", "0x1"],
  ["reason", "VMMCALL"],
  ["$eip == handle_call || $eip > handle_call", "0x1"],
  ["*(u32 *)$esp == @hva($esp, 4)", "0x1"],
  ["EXIT_IOIO", "EXIT_IOIO"],
];

test("values have the sizes and types of a 32-bit program", async () => {
  for (const [expression, expected] of VALUES) {
    expect([expression, await value(expression)]).toEqual([expression, expected]);
  }
  expect(await value("'nested.c'::pointers[0] == pointers[0]")).toBe("0x1");
});

test("members behind pointers and parts of registers are set", async () => {
  expect(await set("ward->registers.ebx = 5")).toBe("0x5");
  expect(await set("ward->registers.ebx *= -1")).toBe("0xfffffffb (4294967291)");
  expect(await value("ward->registers.ebx + 5")).toBe("0x0");
  expect(await set('ward->name = "mine"')).toBe('"mine"');
  expect(await value('ward->name == "mine" && ward->name[4] == 0')).toBe("0x1");
  const pc = await value("$eip");
  expect(await set("$ecx = 0x12345678")).toBe("0x12345678 (305419896)");
  expect(await set("$cl = 0xff")).toBe("0xff (255)");
  expect(await value("$ecx")).toBe("0x123456ff");
  expect(await value("$eip")).toBe(pc);
  const args = { expression: "$ecx = 0x100000000", frameId: 1, context: "repl" };
  expect(await client.failure("evaluate", args)).toMatch(/0x100000000 does not fit in 32 bits/);
});
