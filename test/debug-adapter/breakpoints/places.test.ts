/** Breakpoints on code: by image and offset, pending until their image is there, in one world or any. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AdapterClient,
  inRepository,
  SAMPLE,
  startClient,
} from "../../harness/dap-adapter.ts";

let client: AdapterClient;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "places-"));
  client = await startClient();
});
afterEach(async () => {
  await client.stop();
  rmSync(folder, { recursive: true, force: true });
});

const setFunctions = async (...names: string[]): Promise<DP.Breakpoint[]> => {
  const breakpoints = names.map((name) => ({ name }));
  return (await client.setFunctionBreakpointsRequest({ breakpoints })).body.breakpoints;
};

test("a guest's breakpoint is pending until its code is in memory, and loses no hit", async () => {
  await client.begin({ ...SAMPLE, stopOnEntry: true });
  const [made, host] = await setFunctions("guest_main", "run_guest");
  expect(made).toMatchObject({ verified: false, reason: "pending" });
  expect(made?.message).toMatch(/^Waits until the code of sample\.elf is in the guest's memory/);
  expect(host).toMatchObject({ verified: true });
  const changes: DP.BreakpointEvent["body"][] = [];
  client.on("breakpoint", ({ body }: DP.BreakpointEvent) => changes.push(body));
  await client.configurationDoneRequest();
  await client.nextStop();
  expect((await client.go("continue")).hitBreakpointIds).toEqual([host?.id]);
  const stop = await client.go("continue");
  expect(stop).toMatchObject({ hitBreakpointIds: [made?.id], reason: "breakpoint" });
  expect(changes).toMatchObject([{ breakpoint: { id: made?.id, verified: true } }]);
  expect(changes[0]?.breakpoint.message).toBeUndefined();
});

test("other code at a guest's addresses is no hit, and the message says so", async () => {
  const other = join(folder, "sample.elf");
  const read = (path: string) => readFileSync(inRepository(path), "latin1");
  const [elf, code] = [read("test/guests/build/sample.elf"), read("test/guests/build/sample.bin")];
  const start = elf.indexOf(code.slice(0, 32));
  expect(start).toBeGreaterThan(0);
  const bytes = Uint8Array.from(elf, (each) => each.charCodeAt(0));
  for (let at = start; at < start + code.length; at++) bytes[at] = (bytes[at] ?? 0) ^ 0x5a;
  writeFileSync(other, bytes);
  await client.begin({ ...SAMPLE, symbols: [other] });
  const [made] = await setFunctions("guest_main");
  expect(made).toMatchObject({ verified: false, reason: "pending" });
  await client.setExceptionBreakpointsRequest({
    filters: [],
    filterOptions: [{ filterId: "exit:VMMCALL" }],
  });
  const changed = client.waitForEvent("breakpoint");
  await client.configurationDoneRequest();
  expect((await client.nextStop()).description).toMatch(/VMMCALL/);
  const { breakpoint } = (await changed).body;
  expect(breakpoint).toMatchObject({ id: made?.id, verified: false });
  expect(breakpoint.message).toMatch(/the code at 0x[0-9a-f]+ differs from sample\.elf's now\.$/);
});

test("an instruction by its physical address hits through the mapping; modes limit the world", async () => {
  await client.begin({ ...SAMPLE, stopOnEntry: true });
  await setFunctions("run_guest");
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.go("continue");
  const linear = `0x${BigInt(await client.value("$rip")).toString(16)}`;
  await setFunctions();
  const at = (instructionReference: string, mode?: string) => ({ instructionReference, mode });
  const { body } = await client.send("setInstructionBreakpoints", {
    breakpoints: [
      at(`hpa:${linear}`),
      at(`hpa:${linear}`, "guest"),
      at(`hva:${linear}`, "host"),
      at(`gva:${linear}`, "host"),
      at(`hva:${linear}`, "nowhere"),
      at("gpa@g9:0x1000"),
    ],
  });
  const made: DP.Breakpoint[] = body.breakpoints;
  expect(made.map(({ verified }) => verified)).toEqual([true, true, true, true, false, false]);
  expect(made[4]?.message).toMatch(/modes are any, host, guest/);
  await client.customRequest("restart", { arguments: { ...SAMPLE, stopOnEntry: false } });
  const stop = await client.nextStop();
  expect(stop.hitBreakpointIds).toEqual([made[0]?.id, made[2]?.id]);
});

test("a copy of the kernel as its own symbols is placed by the loader as well", async () => {
  const copy = join(folder, "copy.elf");
  copyFileSync(inRepository("minvisor/build/minvisor.elf"), copy);
  await client.begin({ ...SAMPLE, symbols: [{ path: copy, world: "host" }] });
  const [made] = await setFunctions("copy.elf!run_guest");
  expect(made).toMatchObject({ verified: true });
  await client.configurationDoneRequest();
  expect((await client.nextStop()).hitBreakpointIds).toEqual([made?.id]);
});
