// What a user can get wrong: each answer is one clear sentence, and the session goes on.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, inRepository, SAMPLE, startClient } from "../harness/dap-adapter.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-bad-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const minvisor = new Uint8Array(readFileSync(SAMPLE.kernel));
const bytes = (text: string) => new TextEncoder().encode(text);

test.each<[string, object, RegExp]>([
  [
    "missing kernel",
    { kernel: "/nowhere/kernel" },
    /^\/nowhere\/kernel cannot be read: it does not exist\.$/,
  ],
  ["a directory", { kernel: "/tmp" }, /^\/tmp cannot be read: it is a directory\.$/],
  ["empty kernel", { kernel: file("empty", new Uint8Array()) }, /empty is empty\.$/],
  [
    "neither multiboot nor Linux",
    { kernel: file("text", bytes("hello, world")) },
    /neither a multiboot kernel .* nor a Linux bzImage\.$/,
  ],
  ["truncated", { kernel: file("short.elf", minvisor.subarray(0, 0x1800)) }, /short\.elf.*\.$/],
  [
    "no kernel",
    { kernel: undefined },
    /^Launch attribute "kernel" must be the path of a kernel image; it is missing\.$/,
  ],
  ["kernel of a wrong type", { kernel: 7 }, /^Launch attribute "kernel" must be .*; it is 7\.$/],
  ["memory", { memory: "lots" }, /^Launch attribute "memory" must be a size .*; it is "lots"\.$/],
  ["memory of 4 GiB", { memory: "4G" }, /3 GiB/],
  ["modules", { modules: "sample.bin" }, /^Launch attribute "modules" must be an array/],
  [
    "a missing module",
    { modules: ["nowhere.bin a b"] },
    /nowhere\.bin cannot be read: it does not exist\.$/,
  ],
  [
    "a module that does not fit",
    { modules: [file("big", new Uint8Array(80 << 20))], memory: "64M" },
    /does not fit|would end/,
  ],
  ["serial", { serial: ["stdio", "null", "null"] }, /^Launch attribute "serial" must be/],
  [
    "a serial file that cannot be",
    { serial: ["/nowhere/at/all"] },
    /^\/nowhere\/at\/all cannot be written/,
  ],
  [
    "stopOnEntry",
    { stopOnEntry: "yes" },
    /^Launch attribute "stopOnEntry" must be true or false; it is "yes"\.$/,
  ],
  [
    "an unknown invariant",
    { invariants: ["nonesuch"] },
    /There is no invariant "nonesuch"; there are npt_/,
  ],
  [
    "hypervisorMemory",
    { hypervisorMemory: ["here"] },
    /^Launch attribute "hypervisorMemory" must hold ranges/,
  ],
  [
    "symbols that are no ELF",
    { symbols: [file("plain", bytes("plain"))] },
    /plain: not an ELF file/,
  ],
  ["sourceMap", { sourceMap: ["a"] }, /^Launch attribute "sourceMap" must be/],
])("launch: %s", async (_, attributes, expected) => {
  await client.initializeRequest();
  const message = await client.failure("launch", { ...SAMPLE, ...attributes });
  expect(message).toMatch(expected);
  expect(message).toMatch(/\.$/);
  expect(message.split("\n").length).toBe(1);
  // The session lives: the same client launches something that works.
  const initialized = client.waitForEvent("initialized");
  await client.launchRequest(SAMPLE as object);
  await initialized;
});

test("breakpoints that cannot be: unverified, with the reason", async () => {
  await client.begin();
  const other = await client.setBreakpointsRequest({
    source: { path: "/somewhere/else.c" },
    breakpoints: [{ line: 1 }],
  });
  expect(other.body.breakpoints[0]).toMatchObject({
    verified: false,
    message: "/somewhere/else.c is not a source of any loaded image (minvisor.elf, sample.elf).",
  });
  const source = { path: inRepository("minvisor/exit.c") };
  const inFile = await client.setBreakpointsRequest({
    source,
    breakpoints: [
      { line: 100_000 },
      { line: 60, condition: "a +" },
      { line: 60, hitCondition: "often" },
      { line: 60, logMessage: "{1 ?}" },
    ],
  });
  expect(inFile.body.breakpoints.map(({ verified, message }) => [verified, message])).toEqual([
    [false, expect.stringContaining("has no code at line 100000")],
    [false, 'The condition "a +" does not parse: the expression ends too early at position 4.'],
    [false, expect.stringContaining('The hit count "often" does not parse')],
    [
      false,
      'The log expression "1 ?" does not parse: the expression ends too early at position 4.',
    ],
  ]);
  const filters = await client.setExceptionBreakpointsRequest({
    filters: ["exit:NPF", "exit:nonesuch"],
    filterOptions: [{ filterId: "exit:MSR", condition: "msr == 0x" }],
  });
  expect(filters.body?.breakpoints?.map(({ verified, message }) => [verified, message])).toEqual([
    [true, undefined],
    [
      false,
      expect.stringMatching(
        /^There is no exception filter "exit:nonesuch"; the filters are exit, /,
      ),
    ],
    [
      false,
      expect.stringMatching(/^The condition "msr == 0x" does not parse: .* at position \d+\.$/),
    ],
  ]);
  const instructions = await client.send("setInstructionBreakpoints", {
    breakpoints: [{ instructionReference: "gpa:0x1000" }, { instructionReference: "nowhere" }],
  });
  expect(instructions.body.breakpoints.map((each: { verified: boolean }) => each.verified)).toEqual(
    [false, false],
  );
});

test("requests at the wrong moment or with wrong arguments", async () => {
  await client.begin();
  expect(await client.failure("launch", SAMPLE)).toBe("A machine is launched already.");
  await client.setExceptionBreakpointsRequest({ filters: ["exit"] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const cases: [string, object, RegExp][] = [
    ["stackTrace", { threadId: 7 }, /^There is no thread 7: .* is thread 1\.$/],
    ["scopes", { frameId: 99 }, /^There is no frame 99 at this stop\.$/],
    ["variables", { variablesReference: 12345 }, /^These variables belong to an earlier stop\.$/],
    [
      "readMemory",
      { memoryReference: "xyz:1", count: 1 },
      /^"xyz:1" is no memory reference; write hpa:/,
    ],
    ["readMemory", { memoryReference: "gva@g9:1", count: 1 }, /^There is no guest 9\.$/],
    ["readMemory", { memoryReference: "hpa:0", count: 1e12 }, /^count can be 0 to/],
    ["writeMemory", { memoryReference: "hpa:0", data: "***" }, /not base64/],
    ["disassemble", { memoryReference: "hpa:0", instructionCount: 1e9 }, /can be 0 to 10000/],
    [
      "minvisor/consoleInput",
      { port: "lpt1", text: "x" },
      /"port" to be "com1" or "com2"; it is "lpt1"\.$/,
    ],
    ["source", { sourceReference: 3 }, /No source has this reference/],
    ["evaluate", {}, /\.$/],
    ["setBreakpoints", {}, /\.$/],
  ];
  for (const [command, args, expected] of cases) {
    expect(await client.failure(command, args), command).toMatch(expected);
  }
  expect((await client.go("next", true)).reason).toBe("step");
});

test("a triple fault stops before the reset, with its chain of faults", async () => {
  // A real-mode guest of one instruction without an IDT: lidt of zeros, then int3.
  const guest = file("triple.bin", Uint8Array.of(0x0f, 0x01, 0x1e, 0x10, 0x7c, 0xcc, 0xf4));
  await client.begin({ ...SAMPLE, modules: [guest], symbols: [] });
  await client.setExceptionBreakpointsRequest({ filters: ["shutdown"] });
  await client.configurationDoneRequest();
  expect(await client.nextStop()).toMatchObject({
    reason: "exception",
    description: "Paused on shutdown, before the reset",
    text: "#BP at rip 0x7c05, then #GP at rip 0x7c05, then #DF at rip 0x7c05",
  });
  expect((await client.exceptionInfoRequest({ threadId: 1 })).body.exceptionId).toBe("shutdown");
});
