// A violated invariant over DAP: the stop, and the culprit's line for the editor.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ViolationBody } from "../../../debug-adapter/protocol.ts";
import {
  type AdapterClient,
  inRepository,
  SAMPLE,
  startClient,
} from "../../harness/dap-adapter.ts";
import { culpritLine } from "../../invariants/boot.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

const seeded = (bug: string) => ({
  ...SAMPLE,
  kernel: inRepository(`test/seeded-bugs/build/${bug}.elf`),
  invariants: true,
});

function violationOf(client: AdapterClient): Promise<ViolationBody> {
  return new Promise((resolve) => {
    client.once("minvisor/violation", (event: DebugProtocol.Event) => resolve(event.body));
  });
}

test.each(["wrong-region-size", "tables-outside-region"])(
  "%s stops the session and names the line that wrote it",
  async (bug) => {
    const violation = violationOf(client);
    const stop = await client.runTo({ filters: ["invariant"] }, seeded(bug));
    expect(stop.reason).toBe("exception");
    expect(stop.description).toMatch(/^Paused on violation of npt_/);
    expect(stop.text).toMatch(/ Expected: .* Actual: .*\.$/);
    const info = await client.exceptionInfoRequest({ threadId: 1 });
    expect(info.body.exceptionId).toBe("invariant");
    expect(info.body.description).toMatch(/^npt_/);
    expect(info.body.description?.split(": ").slice(1).join(": ")).toBe(stop.text);
    const path = `test/seeded-bugs/${bug}/nested_pages.c`;
    const { culprit, vmrun } = await violation;
    const line = culpritLine(path);
    expect(culprit).toMatchObject({ path: inRepository(path), line });
    const callers = culprit?.stack?.map((frame) => frame.name);
    expect(callers?.slice(-3)).toEqual([
      expect.stringMatching(/^host · nested_pages_build/),
      "host · minvisor_main",
      expect.stringMatching(/^host · start64/),
    ]);
    expect(culprit?.stack?.[0]).toMatchObject({ path: inRepository(path), line });
    expect(vmrun?.path).toBe(inRepository("minvisor/vmrun.S"));
    const { body } = await client.customRequest("minvisor/status");
    expect(body.invariants.map((each: { verdict: string }) => each.verdict)).toContain("violated");
  },
);

test("without its filter a violation is reported and the machine goes on", async () => {
  const violation = violationOf(client);
  await client.begin(seeded("wrong-region-size"));
  await client.setExceptionBreakpointsRequest({ filters: [] });
  const ended = client.waitForEvent("terminated");
  await client.configurationDoneRequest();
  await ended;
  expect((await violation).culprit?.path).toMatch(/nested_pages\.c$/);
});
