// A step over an instruction that faults ends where the handler lets the program go on.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

test("the handler of #GP returns to a recovery point: next ends there", async () => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "try_read_msr" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  const names: string[] = [];
  for (let i = 0; i < 14 && !names.at(-1)?.includes("touch_msrs"); i++) {
    expect((await client.go("next", true)).reason).toBe("step");
    names.push((await client.frames())[0]?.name ?? "");
  }
  expect(names).not.toContainEqual(expect.stringContaining("general_protection_entry"));
  expect(names.at(-1)).toBe("guest · touch_msrs");
});

test("stepIn at the instruction enters the handler, stepOut leaves it", async () => {
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "try_read_msr" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
  let name = "";
  for (let i = 0; i < 14 && !name.includes("general_protection_entry"); i++) {
    await client.go("stepIn", true);
    name = (await client.frames())[0]?.name ?? "";
  }
  expect(name).toBe("guest · general_protection_entry");
  const [, label, interrupted] = await client.frames();
  expect(label?.name).toBe("#GP in ring 0");
  expect(interrupted?.name).toMatch(/^guest · try_read_msr.* \(scanned\)$/);
  expect(interrupted?.presentationHint).toBe("subtle");
  // The handler returns elsewhere than to what it interrupted.
  expect((await client.go("stepOut", true)).reason).toBe("step");
  const [recovered] = await client.frames();
  expect(recovered?.name).toMatch(/^guest · try_read_msr/);
  const addresses = [interrupted, recovered].map((frame) =>
    BigInt(frame?.instructionPointerReference?.replace(/.*:/, "") ?? 0),
  );
  expect(addresses[1]).toBeGreaterThan(addresses[0] as bigint);
});

test.each([
  ["in one page", 0x100n],
  ["over two pages", 0x20n],
])(
  "stepOut follows a handler that returns to another stack too, from a frame %s",
  async (_, at) => {
    await client.begin();
    await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "try_read_msr" }] });
    await client.configurationDoneRequest();
    await client.nextStop();
    await client.setFunctionBreakpointsRequest({ breakpoints: [] });
    // add $8, %rsp; addq $2, (%rsp); addq $0x2000, 24(%rsp); iretq
    const code = "4883c408 4883042402 488144241800200000 48cf".replaceAll(" ", "");
    const memoryReference = await client.value("&general_protection_entry");
    await client.send("writeMemory", {
      memoryReference: `gva:${/0x[0-9a-f]+/.exec(memoryReference)?.[0]}`,
      data: Buffer.from(code, "hex").toString("base64"),
    });
    let [rip, rsp] = [0n, BigInt(await client.value("$rsp"))];
    // SS:RSP of the frame lies up to 16 bytes below the stack, the return address 40.
    const expression = `$rsp = ${(rsp & ~0xfffn) + at}`;
    await client.evaluateRequest({ expression, context: "repl" });
    let name = "";
    for (let i = 0; i < 14 && !name.includes("general_protection_entry"); i++) {
      [rip, rsp] = [BigInt(await client.value("$rip")), BigInt(await client.value("$rsp"))];
      await client.go("stepIn", true);
      name = (await client.frames())[0]?.name ?? "";
    }
    expect((await client.go("stepOut", true)).reason).toBe("step");
    expect(BigInt(await client.value("$rip"))).toBe(rip + 2n);
    expect(BigInt(await client.value("$rsp"))).toBe(rsp + 0x2000n);
  },
);
