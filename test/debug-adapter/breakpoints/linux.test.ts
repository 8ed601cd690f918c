/** Breakpoints of every kind in Debian's kernel under MinVisor, with KASLR, through one boot. */
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AdapterClient, LINUX, startClient } from "../../harness/dap-adapter.ts";
import { makeGuests } from "../../harness/linux-guest.ts";

beforeAll(makeGuests, 600_000);

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

async function setFunctions(...names: string[]): Promise<DP.Breakpoint[]> {
  const breakpoints = names.map((name) => ({ name }));
  return (await client.setFunctionBreakpointsRequest({ breakpoints })).body.breakpoints;
}

/** The next stop at an event of the guest that is not intercepted. */
async function runToEvent(event: string, condition?: string) {
  const breakpoints = [{ event, ...(condition ? { condition } : {}) }];
  const { body } = await client.customRequest("minvisor/setEventBreakpoints", { breakpoints });
  expect(body.breakpoints).toMatchObject([{ verified: true }]);
  const stop = await client.go("continue");
  expect(stop.hitBreakpointIds).toEqual([body.breakpoints[0].id]);
  await client.customRequest("minvisor/setEventBreakpoints", { breakpoints: [] });
  return stop;
}

async function setData(...breakpoints: DP.DataBreakpoint[]): Promise<DP.Breakpoint[]> {
  return (await client.setDataBreakpointsRequest({ breakpoints })).body.breakpoints;
}

test("functions, variables, ports, MSRs, devices, interrupts and exceptions of the kernel", async () => {
  const changes: DP.Breakpoint[] = [];
  client.on("breakpoint", ({ body }: DP.BreakpointEvent) => changes.push(body.breakpoint));
  await client.begin(LINUX);
  const [start] = await setFunctions("start_kernel");
  expect(start).toMatchObject({ verified: false, reason: "pending" });
  expect(start?.message).toMatch(/^No loaded image has a function "start_kernel"; waits for one/);
  await client.configurationDoneRequest();
  expect(await client.nextStop()).toMatchObject({ hitBreakpointIds: [start?.id] });
  expect(changes).toContainEqual({ id: start?.id, verified: true });
  expect((await client.frames())[0]?.name).toBe("guest · start_kernel");
  await setFunctions();

  // Under the early tables, which the kernel gives up before its first process.
  const frameId = (await client.frames())[0]?.id;
  const info = await client.send("dataBreakpointInfo", { name: "jiffies_64", frameId });
  const dataId = info.body.dataId ?? "";
  expect(dataId).toMatch(/^gva@g1\/0x[0-9a-f]+:0xffffffff[0-9a-f]{8},8$/);
  const [root, address] = dataId.slice("gva@g1/".length).split(/[:,]/);
  const [ticks, third] = await setData(
    { dataId, condition: "new == old + 1" },
    { dataId, hitCondition: "3" },
    { dataId, condition: "new == old + 2" },
  );
  const tick = await client.go("continue");
  expect(tick.hitBreakpointIds).toEqual([ticks?.id]);
  expect(tick.text).toMatch(/was written by the guest's instruction at 0x[0-9a-f]+ <do_timer\+/);
  await client.go("continue");
  expect((await client.go("continue")).hitBreakpointIds).toEqual([ticks?.id, third?.id]);
  await setData();

  const out = await runToEvent("guest:io:0x3f8:w", "value == 0x5b");
  expect(out.text).toMatch(/^0x5b out to 0x3f8 by the guest's instruction at .*<io_serial_out\+/);
  const msr = await runToEvent("guest:msr:FS_BASE:w", "value != 0");
  expect(msr.text).toMatch(/^FS_BASE = 0x[0-9a-f]+ by the guest's instruction at /);
  const apic = await runToEvent("guest:mmio:0xfee00000-0xfee00fff:w", "address == 0xfee000b0");
  expect(apic.description).toBe("Paused on write to local-apic at hpa:0xfee000b0");
  expect(apic.text).toMatch(/<native_apic_mem_write\+/);
  const irq = await runToEvent("guest:irq:*", "vector >= 0x20 && external");
  expect(irq.description).toMatch(/^Paused on interrupt 0x[0-9a-f]+ in the guest$/);
  const fault = await runToEvent("guest:exception:PF", "errorCode == 0x14 && address < 1ul << 47");
  expect(fault.text).toMatch(/^#PF with error code 0x14 on 0x[0-9a-f]+ by the guest's instruction/);

  // In a process, by the name that the early tables gave it.
  const before = BigInt(await client.value(`@gva(${address})`));
  const [again, byAddress] = await setData({ dataId }, { dataId: `gva@g1:${address},1` });
  const inProcess = await client.go("continue");
  expect(inProcess.hitBreakpointIds).toEqual([again?.id, byAddress?.id]);
  expect(BigInt(await client.value("$cr3"))).not.toBe(BigInt(root ?? 0));
  expect(inProcess.description).toContain(
    `: 0x${before.toString(16)} -> 0x${(before + 1n).toString(16)}`,
  );
}, 240_000);
