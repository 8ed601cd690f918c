// What caused an exit, against tables that the test itself spoilt; and what changed since, against known runs.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

type Variable = DebugProtocol.Variable;

async function setField(name: string, value: string): Promise<void> {
  const { scopes } = (await client.scopesRequest({ frameId: 1 })).body;
  const control = scopes.find((scope) => scope.name === "VMCB control");
  const variablesReference = control?.variablesReference ?? 0;
  await client.setVariableRequest({ variablesReference, name, value });
}

async function entryBytes(memoryReference: string): Promise<bigint> {
  const { body } = await client.send("readMemory", { memoryReference, count: 8 });
  return Buffer.from(body?.data ?? "", "base64").readBigUInt64LE();
}

async function writeEntry(memoryReference: string, value: bigint): Promise<void> {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  await client.send("writeMemory", { memoryReference, data: bytes.toString("base64") });
}

/** The entry that translates the guest's instruction at the nested level. */
async function codeEntry(): Promise<Variable> {
  const walk = (await client.scope(1, "Nested paging")).get("walk of guest rip");
  const levels = [...(await client.children(walk?.variablesReference ?? 0)).values()];
  const last = levels.at(-1);
  if (last === undefined) throw new Error("no walk");
  return last;
}

const clear = (bit: bigint) => (entry: bigint) => entry & ~(1n << bit);
const set = (bit: bigint) => (entry: bigint) => entry | (1n << bit);

test.each([
  ["not present", clear(0n), /PDE at hpa:0x[0-9a-f]+ is not present/, "(not present)"],
  ["no write", clear(1n), /PDE at hpa:0x[0-9a-f]+ is read-only/, "(P U/S A D PS, page 0x0)"],
  ["no fetch", set(63n), /PDE at hpa:0x[0-9a-f]+ is no-execute/, "(P R/W U/S A D PS NX, page 0x0)"],
  ["reserved", set(13n), /has a reserved bit set/, "(P R/W U/S A D PS, page 0x0)"],
])("a nested fault names the entry that was spoilt: %s", async (_, spoil, reason, shown) => {
  await client.runTo({ filters: ["exit:CPUID"] });
  const { memoryReference = "" } = await codeEntry();
  const good = await entryBytes(memoryReference);
  await writeEntry(memoryReference, spoil(good));
  // The CPU would go on with its TLB.
  await setField("TLB_CONTROL", "1");
  await client.setExceptionBreakpointsRequest({ filters: ["exit:NPF"] });
  const stop = await client.go("continue");
  expect(stop.description).toMatch(/^Paused on #VMEXIT NPF/);
  const exit = await client.scope(1, "Exit");
  const cause = exit.get("cause");
  expect(cause?.value).toMatch(reason);
  expect(cause?.value).toContain(`0x${spoil(good).toString(16)} `);
  expect(cause?.value).toContain(shown);
  expect(cause?.memoryReference).toBe(memoryReference);
  const nested = await client.scope(1, "Nested paging");
  const walk = [...nested.values()].find((each) => each.name.startsWith("walk of gpa"));
  const levels = [...(await client.children(walk?.variablesReference ?? 0)).values()];
  expect(levels.at(-1)?.value).toMatch(/refuses the access/);
  // The guest has no paging yet, so that its address is the gpa of the fault.
  const gpa = walk?.name.replace("walk of gpa ", "");
  expect(
    nested.get(`guest's walk of gva ${gpa}`)?.value,
    exit.get("guest instruction")?.value,
  ).toBeDefined();
  expect((await client.exceptionInfoRequest({ threadId: 1 })).body.description).toMatch(reason);
  await writeEntry(memoryReference, good);
  const mended = (await client.scope(1, "Exit")).get("cause")?.value;
  expect(mended).toBe(
    "the nested tables allow the access now: the host has changed them since the exit",
  );
});

test("a VMRUN that was refused names the check and its section", async () => {
  await client.runTo({ filters: ["exit:CPUID"] });
  await setField("GUEST_ASID", "0");
  await client.setExceptionBreakpointsRequest({ filters: ["exit:INVALID"] });
  await client.go("continue");
  expect((await client.scope(1, "Exit")).get("cause")?.value).toBe(
    "GUEST_ASID_ZERO: GUEST_ASID is 0, the host's (APM volume 2, section 15.5.1)",
  );
  // VMRUN itself changed nothing but the exit code: the comparison is with what it found.
  const control = await client.scope(1, "VMCB control");
  const changed = [...control.values()].filter((each) => each.value.includes("->"));
  expect(changed.map((each) => each.name)).toContain("EXITCODE");
  expect(control.get("GUEST_ASID")?.value).toBe("0x0");
});

test("an injected event and the one whose delivery was cut short are told in words", async () => {
  await client.runTo({ filters: ["exit:CPUID"] });
  // Behind the exit handler, which clears the event, and before VMRUN.
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "vmrun_instruction" }] });
  await client.go("continue");
  // #GP with error code 0x18, into a real-mode guest whose IDT is not reachable.
  const walk = await codeEntry();
  const good = await entryBytes(walk.memoryReference ?? "");
  await setField("EVENTINJ", "0x1880000b0d");
  await setField("TLB_CONTROL", "1");
  await writeEntry(walk.memoryReference ?? "", good & ~1n);
  await client.setExceptionBreakpointsRequest({ filters: ["exit:NPF"] });
  expect((await client.go("continue")).description).toMatch(/NPF/);
  const exit = await client.scope(1, "Exit");
  expect(exit.get("injected event")?.value).toBe("exception #GP error 0x18");
  expect(exit.get("interrupted delivery")?.value).toBe("exception #GP error 0x18");
  const { details } = (await client.exceptionInfoRequest({ threadId: 1 })).body;
  expect(details).toMatchObject({ typeName: "VMEXIT_NPF", evaluateName: "vmcb" });
  expect(details?.innerException?.[0]?.message).toBe(
    "during the delivery of exception #GP error 0x18",
  );
});

/** Names of the fields shown as changed, which come before all others. */
async function changedFields(scope: string): Promise<string[]> {
  const fields = [...(await client.scope(1, scope)).values()];
  const changed = fields.filter((each) => each.value.includes(" -> "));
  expect(fields.slice(0, changed.length)).toEqual(changed);
  return changed.map((each) => each.name);
}

test("at an exit: what the guest's run changed; later: what the host changed since", async () => {
  await client.runTo({ filters: ["exit:CPUID"] });
  expect(await changedFields("VMCB save")).toContain("RIP");
  const before = await client.scope(1, "VMCB save");
  const exitRip = (await client.scope(1, "Exit")).get("guest rip")?.value;
  expect(before.get("RIP")?.value).toMatch(new RegExp(`^0x[0-9a-f]+ -> ${exitRip}$`));
  // One instruction later nothing of the host's doing is there yet.
  await client.go("next", true);
  expect(await changedFields("VMCB save")).toEqual([]);
  expect(await changedFields("VMCB control")).toEqual([]);
  await setField("TSC_OFFSET", "5");
  expect((await client.scope(1, "VMCB control")).get("TSC_OFFSET")?.value).toBe("0x0 -> 0x5");
  expect(await changedFields("VMCB control")).toEqual(["TSC_OFFSET"]);
  // The exit handler steps over CPUID: it moves RIP and fills in RAX before VMRUN.
  await client.setExceptionBreakpointsRequest({ filters: [] });
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "vmrun_instruction" }] });
  await client.go("continue");
  const { scopes } = (await client.scopesRequest({ frameId: 1 })).body;
  expect(scopes.map((scope) => scope.name)).toContain("VMCB save");
  expect(await changedFields("VMCB save")).toEqual(expect.arrayContaining(["RIP", "RAX"]));
  const after = await client.scope(1, "VMCB save");
  expect(after.get("RIP")?.value).toBe(`${exitRip} -> 0x${(Number(exitRip) + 2).toString(16)}`);
});
