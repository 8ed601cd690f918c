// What changes under the client's eyes: memory events, stale TLB entries, device registers, breakpoints on rows.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TranslateBody } from "../../../debug-adapter/protocol.ts";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
let events: DebugProtocol.MemoryEvent["body"][];
beforeEach(async () => {
  client = await startClient();
  events = [];
  client.on("memory", ({ body }: DebugProtocol.MemoryEvent) => events.push(body));
  const initialized = client.waitForEvent("initialized");
  await client.initializeRequest({ adapterID: "minvisor", supportsMemoryEvent: true } as never);
  await client.launchRequest(SAMPLE as DebugProtocol.LaunchRequestArguments);
  await initialized;
  await client.setExceptionBreakpointsRequest({ filters: ["exit:CPUID"] });
  await client.configurationDoneRequest();
  await client.nextStop();
});
afterEach(() => client.stop());

const read = async (memoryReference: string, count: number, offset = 0) =>
  (await client.customRequest("readMemory", { memoryReference, count, offset })).body;
const write = (memoryReference: string, bytes: number[]) =>
  client.customRequest("writeMemory", {
    memoryReference,
    data: Buffer.from(bytes).toString("base64"),
  });
const translate = async (memoryReference: string): Promise<TranslateBody> =>
  (await client.customRequest("minvisor/translate", { memoryReference })).body;

test("memory that the client has read is refreshed at the next stop, once", async () => {
  await read("hpa:0x7c00", 16);
  await read("gpa:0x5000", 64, 32);
  await client.go("stepIn", true);
  await client.threadsRequest();
  expect(events).toEqual([
    { memoryReference: "hpa:0x7c00", offset: 0, count: 16 },
    { memoryReference: "gpa:0x5000", offset: 0, count: 96 },
  ]);
  await client.go("stepIn", true);
  await client.threadsRequest();
  expect(events.length).toBe(2);
});

test("the references that are refreshed are bounded", async () => {
  for (let i = 0; i < 100; i++) await read(`hpa:${i * 16}`, 16);
  await client.go("stepIn", true);
  await client.threadsRequest();
  expect(events.length).toBe(16);
  expect(events.at(-1)?.memoryReference).toBe("hpa:1584");
});

test("a write refreshes the written reference and the others that were read", async () => {
  await read("hpa:0x5000", 16);
  await write("gpa:0x5000", [1, 2, 3]);
  await client.threadsRequest();
  expect(events).toEqual([
    { memoryReference: "gpa:0x5000", offset: 0, count: 3 },
    { memoryReference: "hpa:0x5000", offset: 0, count: 16 },
  ]);
});

test("device registers are read without side effects, which is said once", async () => {
  const texts: string[] = [];
  client.on("output", ({ body }: DebugProtocol.OutputEvent) => texts.push(body.output));
  const first = await read("hpa:0xfee00000", 0x1000);
  expect(Buffer.from(first.data, "base64").length).toBe(0x1000);
  await read("hpa:0xfee00030", 4);
  await client.threadsRequest();
  expect(texts.filter((text) => text.includes("local-apic"))).toEqual([
    "hpa:0xfee00000 is memory of the device local-apic: what is shown is its registers as they are, and reading them has no side effects.\n",
  ]);
});

test("the TLB's old translation is called stale when a table changes", async () => {
  const before = await translate("gva:0x7c00");
  expect(before.tlb.map(({ stale }) => stale)).toEqual([false, false]);
  const leaf = before.walk.at(-1);
  expect(leaf?.pageSize).toBe(0x20_0000);
  // The nested PDE points to the next 2 MiB page now; nobody has flushed anything.
  await write(leaf?.hpa ?? "", [0xe7, 0, 0x20, 0, 0, 0, 0, 0]);
  const after = await translate("gva:0x7c00");
  expect(after.hpa).toBe("hpa:0x207c00");
  expect(after.tlb.map(({ stale, hpa }) => [stale, hpa])).toEqual([
    [true, "hpa:0x7c00"],
    [true, "hpa:0x7c00"],
  ]);
  expect(after.text).toContain("STALE");
  await write(leaf?.hpa ?? "", [0, 0, 0, 0, 0, 0, 0, 0]);
  const gone = await translate("gva:0x7c00");
  expect(gone).toMatchObject({ fault: { kind: "NPF", entry: 2 } });
  expect(gone.tlb.every(({ stale }) => stale)).toBe(true);
});

test("holes lose nothing behind them", async () => {
  // A hole of the address space below the I/O APIC: asked again behind it, there are bytes.
  const hole = await read("hpa:0xfebff000", 0x1010);
  expect(hole).toEqual({ address: "0xfebff000", unreadableBytes: 0x1000 });
  const behind = await read("hpa:0xfebff000", 0x10, hole.unreadableBytes);
  expect(Buffer.from(behind.data, "base64").length).toBe(0x10);
});
