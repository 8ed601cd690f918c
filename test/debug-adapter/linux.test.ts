// Debian's Linux under MinVisor over DAP: exits of a real guest, and pauses at moments of its boot.
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AdapterClient, LINUX, startClient } from "../harness/dap-adapter.ts";
import { makeGuests } from "../harness/linux-guest.ts";
import { testSeed } from "../harness/random.ts";
import { NOTHING_HAPPENS } from "../invariants/minvisor-inv.ts";

const linux = { ...LINUX, invariants: true };

beforeAll(makeGuests, 600_000);

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

const seed = testSeed();

test(`pause answers at any moment of the boot (seed ${seed})`, async () => {
  const stop = await client.runTo({ filters: ["exit:MSR", "shutdown", "invariant"] }, linux);
  expect(stop.description).toMatch(/#VMEXIT MSR/);
  expect((await client.scope(1, "Exit")).get("in words")?.value).toMatch(/MSR 0x/);
  await client.setExceptionBreakpointsRequest({ filters: ["shutdown", "invariant"] });
  for (let i = 0, random = seed; i < 8; i++) {
    await client.continueRequest({ threadId: 1 });
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    await new Promise((resolve) => setTimeout(resolve, random % 300));
    await client.pauseRequest({ threadId: 1 });
    expect((await client.nextStop()).reason).toBe("pause");
    expect((await client.frames()).length).toBeGreaterThan(0);
  }
  const { body } = await client.customRequest("minvisor/status");
  const verdicts: Record<string, string> = Object.fromEntries(
    body.invariants.map((each: { name: string; verdict: string }) => [each.name, each.verdict]),
  );
  // Nothing writes to the hypervisor's code, for example: those about such writes have no event.
  const others = Object.entries(verdicts).filter(([, verdict]) => verdict !== "holds");
  for (const [name, verdict] of others) {
    expect([name, verdict]).toEqual([name, name in NOTHING_HAPPENS ? "never checked" : "holds"]);
  }
});
