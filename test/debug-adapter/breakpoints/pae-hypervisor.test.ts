/** Data breakpoints where the hypervisor has tables of another format and changes them. */
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient, WARDEN } from "../../harness/dap-adapter.ts";

/** Absent from the nested tables until the guest touches it: see layout.h. */
const LATE_PAGE = "0x3ff000";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

async function setData(...breakpoints: DP.DataBreakpoint[]): Promise<DP.Breakpoint[]> {
  const { body } = await client.setDataBreakpointsRequest({ breakpoints });
  expect(body.breakpoints.every(({ verified }) => verified)).toBe(true);
  return body.breakpoints;
}

test("guest-physical bytes that are not mapped yet: watched from the entry's change on", async () => {
  await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] }, WARDEN);
  await client.setExceptionBreakpointsRequest({ filters: [] });
  const [late, never] = await setData(
    { dataId: `gpa@g1:${LATE_PAGE},4`, accessType: "readWrite" },
    { dataId: `gpa@g1:${LATE_PAGE},4`, condition: "new != 0x12345678" },
  );
  const stored = await client.go("continue");
  expect(stored.hitBreakpointIds).toEqual([late?.id]);
  expect(stored.description).toBe(`Paused on change of gpa@g1:${LATE_PAGE}: 0x0 -> 0x12345678`);
  expect(stored.text).toMatch(
    /written by the guest's instruction at 0x[0-9a-f]+ <ward_main.* at ward\.c:\d+/,
  );
  const loaded = await client.go("continue");
  expect(loaded.description).toBe(`Paused on read of gpa@g1:${LATE_PAGE}: 0x12345678`);
  expect(never).toBeDefined();
});

test("host variables by hva, and fields of the VMCB by hpa and by name", async () => {
  await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] }, WARDEN);
  await client.setExceptionBreakpointsRequest({ filters: [] });
  const { body: info } = await client.send("dataBreakpointInfo", { name: "faults.late" });
  expect(info.dataId).toMatch(/^hva@0x[0-9a-f]+:0xc0[0-9a-f]+,4$/);
  const vmcb = (await client.evaluateRequest({ expression: "$vmcb" })).body.memoryReference ?? "";
  const rip = `hpa:0x${(BigInt(vmcb.slice(4)) + 0x578n).toString(16)},8`;
  const [late, byName, byAddress] = await setData(
    { dataId: info.dataId ?? "" },
    { dataId: `vmcb:${vmcb.slice(4)}:RIP`, condition: "old != new", hitCondition: "2" },
    { dataId: rip, condition: "old != new", hitCondition: "2" },
  );
  const second = await client.go("continue");
  expect(second.hitBreakpointIds).toEqual([byName?.id, byAddress?.id]);
  expect(second.text).toMatch(/VMCB field RIP was written by #VMEXIT /);
  const counted = await client.go("continue");
  expect(counted.hitBreakpointIds).toEqual([late?.id]);
  expect(counted.text).toMatch(/: 0x0 -> 0x1$/);
  expect(counted.text).toMatch(
    /the host's instruction at 0xc0\w+ <handle_fault\+\w+> at nested\.c/,
  );
});
