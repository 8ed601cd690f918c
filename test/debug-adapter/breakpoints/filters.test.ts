/** Conditions on the filters that are no exits: violations and shutdown. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

const VIOLATING = {
  ...SAMPLE,
  kernel: inRepository("test/seeded-bugs/build/wrong-region-size.elf"),
  invariants: true,
};

const setFilter = async (filterId: string, condition: string): Promise<DP.Breakpoint> => {
  const args = { filters: [], filterOptions: [{ filterId, condition }] };
  const { body } = await client.setExceptionBreakpointsRequest(args);
  return (body as { breakpoints: DP.Breakpoint[] }).breakpoints[0] as DP.Breakpoint;
};

test("a violation stops where the condition names its invariant", async () => {
  await client.begin(VIOLATING);
  const made = await setFilter("invariant", 'invariant != "nonesuch" && vmcb.nCR3 != 0');
  await client.configurationDoneRequest();
  const stop = await client.nextStop();
  expect(stop.description).toMatch(/^Paused on violation of /);
  expect(stop.hitBreakpointIds).toEqual([made.id]);
});

test("and is told in the console where it does not", async () => {
  const console: string[] = [];
  client.on("output", ({ body }: DP.OutputEvent) => {
    if (body.category === "console") console.push(body.output);
  });
  await client.begin(VIOLATING);
  await setFilter("invariant", 'invariant == "nonesuch"');
  const ended = client.waitForEvent("terminated");
  await client.configurationDoneRequest();
  await ended;
  expect(console.join("")).toMatch(/ is violated at .*Expected: .* Actual: /);
});

test("a condition that cannot be evaluated stops and says why", async () => {
  await client.begin(SAMPLE);
  const made = await setFilter("exit:CPUID", "nonesuch == 1");
  await client.configurationDoneRequest();
  const stop = await client.nextStop();
  expect(stop.hitBreakpointIds).toEqual([made.id]);
  expect(stop.text).toMatch(/^The breakpoint stops because its condition failed: nonesuch is not/);
});

test("a shutdown stops where the condition knows its faults, and else goes on to the end", async () => {
  // A real-mode guest without an IDT: lidt of zeros, then int3.
  const folder = mkdtempSync(join(tmpdir(), "minvisor-shutdown-"));
  const guest = join(folder, "triple.bin");
  writeFileSync(guest, Uint8Array.of(0x0f, 0x01, 0x1e, 0x10, 0x7c, 0xcc, 0xf4));
  const faulting = { ...SAMPLE, modules: [guest], symbols: [] };
  try {
    await client.begin(faulting);
    const told = await setFilter("shutdown", 'faults != "" && vmcb.CS.base == 0');
    await client.configurationDoneRequest();
    const stop = await client.nextStop();
    expect(stop.hitBreakpointIds).toEqual([told.id]);
    expect(stop.text).toMatch(/^#BP at rip 0x7c05, then #GP/);
    await setFilter("shutdown", 'faults == "none"');
    const ended = client.waitForEvent("terminated");
    await client.customRequest("restart", { arguments: faulting });
    await ended;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
