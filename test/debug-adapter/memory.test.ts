// Memory, disassembly and expressions at an exit stop.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../harness/dap-adapter.ts";

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] });
});
afterAll(() => client.stop());

const read = async (memoryReference: string, count: number, offset = 0) => {
  const { body } = await client.customRequest("readMemory", {
    memoryReference,
    count,
    offset,
  });
  return { ...body, bytes: Buffer.from(body?.data ?? "", "base64") };
};

test("one byte sequence through all four spaces", async () => {
  // The sample guest runs in real mode at 0000:7C00; CPUID is 0F A2.
  const [, ...frames] = await client.frames();
  const guest = frames.find((frame) => frame.name.startsWith("guest"));
  const virtual = await read(guest?.instructionPointerReference ?? "", 2);
  expect([...virtual.bytes]).toEqual([0x0f, 0xa2]);
  const address = `0x${BigInt(virtual.address ?? "0").toString(16)}`;
  for (const reference of [
    `gva:${address}`,
    `gva@g1:${address}`,
    `gpa:${address}`,
    `gpa@g1:${address}`,
    `hpa:${address}`,
  ]) {
    expect([...(await read(reference, 2)).bytes], reference).toEqual([0x0f, 0xa2]);
  }
  expect([...(await read(`hva:${address}`, 2)).bytes]).toEqual([0x0f, 0xa2]);
});

test("what the guest cannot reach is a hole, and offsets count", async () => {
  const hole = await read("gpa:0x10000000", 16);
  expect(hole.unreadableBytes).toBe(16);
  const edge = await read("gpa:0xffffff0", 32);
  expect([edge.bytes.length, edge.unreadableBytes]).toEqual([16, 16]);
  const host = await read("hpa:0x10000000", 4, 0);
  expect(host.bytes.equals((await read("hpa:0xfffffff", 4, 1)).bytes)).toBe(true);
  expect((await read("hpa:0xfffffffffffff000", 4)).unreadableBytes).toBe(4);
});

test("writing shows in every space", async () => {
  const data = Buffer.from([1, 2, 3]).toString("base64");
  const written = await client.customRequest("writeMemory", {
    memoryReference: "gpa:0x5000",
    data,
  });
  expect(written.body?.bytesWritten).toBe(3);
  expect([...(await read("hpa:0x5000", 3)).bytes]).toEqual([1, 2, 3]);
  const outside = { memoryReference: "gpa:0x10000000", data };
  expect(await client.failure("writeMemory", outside)).toMatch(
    /Only 0 of 3 bytes at gpa@g1:0x10000000/,
  );
});

test("disassembly has exactly the rows asked for, in steps that fit", async () => {
  const [frame] = await client.frames();
  const reference = frame?.instructionPointerReference ?? "";
  const ask = async (instructionOffset: number, instructionCount: number) =>
    (
      await client.disassembleRequest({
        memoryReference: reference,
        instructionOffset,
        instructionCount,
      })
    ).body?.instructions ?? [];
  const after = await ask(0, 10);
  expect(after.length).toBe(10);
  expect(after[0]?.instruction).toMatch(/^vmsave/);
  const linear = BigInt.asUintN(64, BigInt(after[0]?.address ?? 0));
  expect(linear).toBe(BigInt(reference.split(":").at(-1) ?? 0));
  const around = await ask(-5, 10);
  expect(around.length).toBe(10);
  expect(around[4]?.instruction).toMatch(/^vmrun/);
  // The first row asked for always has its location.
  expect(around.slice(6)).toEqual(after.slice(1, 5));
  const far = await ask(-400, 50);
  expect(far.length).toBe(50);
  for (const rows of [around, far, await ask(-200, 400)]) {
    const addresses = rows.map((row) => BigInt(row.address));
    expect(addresses.every((at, i) => i === 0 || at > (addresses[i - 1] ?? at))).toBe(true);
  }
});

test("disassembly in the mode of the world: 16-bit code of the guest, and holes", async () => {
  const rows = (
    await client.disassembleRequest({ memoryReference: "gva:0x7c00", instructionCount: 4 })
  ).body?.instructions;
  expect(rows?.map((row) => row.presentationHint ?? "valid")).toEqual(Array(4).fill("valid"));
  const hole = (
    await client.disassembleRequest({
      memoryReference: "gpa:0x10000000",
      instructionCount: 3,
      instructionOffset: -1,
    })
  ).body?.instructions;
  expect(hole?.length).toBe(3);
  expect(hole?.slice(1).every((row) => row.presentationHint === "invalid")).toBe(true);
});

test("expressions: registers, VMCB, memory, C and arithmetic", async () => {
  const [frame] = await client.frames();
  const value = (expression: string) => client.value(expression, frame?.id);
  expect(await value("$rip")).toBe(await value("rip"));
  expect(await value("vmcb.exitcode")).toBe("0x72");
  expect(await value("vmcb.EXITCODE == 0x72")).toBe("0x1");
  expect(await value("vmcb.intercept_misc1.CPUID")).toBe("0x1");
  expect(await value("vmcb.CS.base")).toBe("0x0");
  expect(await value("@hpa(0x7c00, 1) == @gpa(0x7c00, 1)")).toBe("0x1");
  expect(await value("gpa:0x7c00 & 0xff")).toBe(await value("@gpa(0x7c00, 1)"));
  expect(await value("2 + 3 * 4 - (1 << 4)")).toBe("0xfffffffe");
  expect(await value('reason == "CPUID" && leaf == 0')).toBe("0x1");
  expect(await value("minvisor_region.start")).toBe("0x10000000");
  expect(await value("&minvisor_region")).toMatch(/^0x10/);
  const struct = await client.evaluateRequest({ expression: "minvisor_region" });
  expect([...(await client.children(struct.body.variablesReference)).keys()]).toEqual([
    "start",
    "end",
  ]);
  expect(await client.failure("evaluate", { expression: "nonesuch" })).toBe(
    "nonesuch is not known here.",
  );
  expect(await client.failure("evaluate", { expression: "1 +" })).toBe(
    "the expression ends too early at position 4.",
  );
  expect(await client.failure("evaluate", { expression: "1 / 0" })).toMatch(/division by zero/);
});

test("completions, loaded sources, modules, breakpoint locations", async () => {
  const completions = await client.completionsRequest({ text: "vmcb.EXITI", column: 11 });
  expect(completions.body.targets.map((each) => each.label)).toEqual([
    "EXITINFO1",
    "EXITINFO2",
    "EXITINTINFO",
  ]);
  const { body } = await client.customRequest("loadedSources");
  const paths: string[] = body.sources.map((source: { path: string }) => source.path);
  const exit = paths.find((path) => path.endsWith("/minvisor/exit.c"));
  expect(exit).toBeDefined();
  const { body: modules } = await client.customRequest("modules", {});
  expect(modules.modules.map((each: { name: string }) => each.name)).toEqual([
    "minvisor.elf",
    "sample.elf",
  ]);
  const { body: locations } = await client.customRequest("breakpointLocations", {
    source: { path: exit },
    line: 1,
    endLine: 1000,
  });
  expect(locations.breakpoints.length).toBeGreaterThan(10);
  const { body: exits } = await client.customRequest("minvisor/exits");
  expect(exits.byReason.CPUID).toBe(1);
  const { body: source } = await client.customRequest("source", {
    source: { path: exit },
    sourceReference: 0,
  });
  expect(source.content).toContain("exit_table");
});
