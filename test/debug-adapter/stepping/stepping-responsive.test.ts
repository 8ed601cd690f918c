// Requests while the machine is hard to interrupt, and stacks that are very deep, on the loops guest.
import { afterEach, beforeEach, expect, test } from "vitest";
import { LONG_MODE_GUEST } from "../../../scripts/build-minvisor.mjs";
import { type AdapterClient, LOOPS, SAMPLE, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

/** Several pauses, the machine running in between. How long one waits at most: slices.test.ts. */
async function pauses(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    await client.continueRequest({ threadId: 1 });
    await new Promise((resolve) => setTimeout(resolve, 40 + 17 * i));
    await client.pauseRequest({ threadId: 1 });
    expect((await client.nextStop()).reason).toBe("pause");
  }
}

test("pause answers in HLT that nothing ends, and steps from there wait for ever", async () => {
  await client.begin({
    ...SAMPLE,
    kernel: LONG_MODE_GUEST,
    modules: [],
    symbols: [],
    stopOnEntry: true,
  });
  await client.configurationDoneRequest();
  await client.nextStop();
  const rip = BigInt(await client.value("$rip"));
  const memoryReference = `hva:0x${rip.toString(16)}`;
  const data = Buffer.from([0xf4]).toString("base64");
  await client.customRequest("writeMemory", { memoryReference, data });
  await pauses();
  await client.nextRequest({ threadId: 1 });
  await client.pauseRequest({ threadId: 1 });
  expect((await client.nextStop()).reason).toBe("pause");
}, 60_000);

test("pause answers while a condition is evaluated at every call", async () => {
  await client.begin(LOOPS);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "guest_main" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.evaluateRequest({ expression: "calls = 0xffffffff", context: "repl" });
  await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "mix", condition: "a == 0x12345678 && b == 0xffffffff" }],
  });
  await pauses();
  expect((await client.frames()).map(({ name }) => name)).toContainEqual(
    expect.stringMatching(/^guest · guest_main/),
  );
}, 60_000);

test("a deep recursion: pages of the stack are parts of the whole, and their total is honest", async () => {
  await client.begin(LOOPS);
  await client.setFunctionBreakpointsRequest({
    breakpoints: [{ name: "deep", condition: "depth == 0" }],
  });
  await client.configurationDoneRequest();
  await client.nextStop();
  const page = async (startFrame: number, levels: number) =>
    (await client.stackTraceRequest({ threadId: 1, startFrame, levels })).body;
  const names: string[] = [];
  let total = 0;
  for (let at = 0; ; ) {
    const { stackFrames, totalFrames } = await page(at, 20);
    names.push(...stackFrames.map(({ name }) => name));
    total = totalFrames ?? 0;
    at += stackFrames.length;
    if (stackFrames.length < 20) break;
    // What is known so far, and more where there is more.
    expect(total).toBeGreaterThanOrEqual(at);
  }
  expect(total).toBe(names.length);
  expect(names.filter((name) => name === "guest · deep")).toHaveLength(501);
  expect(names[501]).toBe("guest · guest_main");
  expect(names.at(-1)).toMatch(/^host · start64/);
  const middle = await page(100, 300);
  expect(middle.stackFrames.map(({ name }) => name)).toEqual(names.slice(100, 400));
  expect((await page(names.length, 20)).stackFrames).toEqual([]);
  const unpaged = (await client.stackTraceRequest({ threadId: 1 })).body.stackFrames;
  expect(unpaged.map(({ name }) => name)).toEqual(names.slice(0, 200));
  const outermost = await client.stackTraceRequest({ threadId: 1, startFrame: 500, levels: 1 });
  expect(await client.value("depth", outermost.body.stackFrames[0]?.id)).toBe("0x1f4");
}, 60_000);
