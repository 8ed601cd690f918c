// A hypervisor unlike MinVisor (32-bit PAE host in its upper half, DWARF 4, -O2) in the debugger.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PAE_HYPERVISOR, PAE_WARD } from "../../scripts/build-minvisor.mjs";
import { bootOnQemu } from "../../scripts/qemu-boot.mjs";
import { type AdapterClient, inRepository, startClient, WARDEN } from "../harness/dap-adapter.ts";

const SOURCES = "test/guests/pae-hypervisor";

const OPTIMISED_OUT = expect.stringMatching(/optimised out/);

/** Number of the line of a source file that has `text`. */
function lineOf(file: string, text: string): number {
  const lines = readFileSync(inRepository(`${SOURCES}/${file}`), "utf8").split("\n");
  const index = lines.findIndex((line) => line.includes(text));
  if (index < 0) throw new Error(`${file} has no line with ${text}`);
  return index + 1;
}

const sourceOf = (file: string) => ({ path: inRepository(`${SOURCES}/${file}`) });

async function breakAt(client: AdapterClient, file: string, ...texts: string[]) {
  const breakpoints = texts.map((text) => ({ line: lineOf(file, text) }));
  const source = sourceOf(file);
  return (await client.setBreakpointsRequest({ source, breakpoints })).body.breakpoints;
}

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

test("it says on our machine what it says on QEMU's", async () => {
  const modules = [inRepository(PAE_WARD)];
  const qemu = await bootOnQemu({ elf: inRepository(PAE_HYPERVISOR), modules, memory: 64 });
  await client.begin(WARDEN);
  const terminated = client.waitForEvent("terminated");
  await client.configurationDoneRequest();
  await terminated;
  expect(client.console).toContain("GUEST-DONE\n");
  expect(client.console).not.toContain("WRONG");
  expect(client.console).toBe(qemu.com1.replaceAll("\r", ""));
});

/** Names of the frames without the words that say in which world each is. */
async function stack(): Promise<string[]> {
  const frames = await client.frames();
  return frames.map(({ name }) => name.replace(/^(host|guest) · /, ""));
}

/** Text of each variable of a frame's scope "Locals". */
async function locals(frame: number): Promise<Record<string, string>> {
  const frames = await client.frames();
  const found = await client.scope(frames[frame]!.id, "Locals");
  return Object.fromEntries([...found].map(([name, { value }]) => [name, value]));
}

test("a breakpoint in a handler: the stack goes through the exit to the guest", async () => {
  await client.begin(WARDEN);
  await breakAt(client, "exit_call.c", "registers->ebx + registers->ecx");
  await client.configurationDoneRequest();
  await client.nextStop();
  expect(await stack()).toEqual([
    ...["handle_call", "dispatch", "supervise", "warden_main", "start"],
    expect.stringMatching(/^#VMEXIT VMMCALL/),
    ...["hypercall", "ward_main", "ward_high"],
  ]);
  const frames = await client.frames();
  expect(frames[2]?.line).toBe(lineOf("exits.c", "outcome = dispatch("));
  expect(frames[7]?.source?.path).toBe(sourceOf("guest/ward.c").path);
  expect(frames[7]?.line).toBe(lineOf("guest/ward.c", "hypercall(CALL_SUM"));
  expect(await locals(0)).toMatchObject({ registers: expect.stringMatching(/^0xc010/) });
  expect(await locals(6)).toEqual({
    number: "0x1",
    ebx: "0x28",
    ecx: "0x2",
    answer: OPTIMISED_OUT,
  });
  expect(await client.value("ward->registers.ebx", frames[0]?.id)).toBe("0x28");
  expect(await client.value("ward->name", frames[0]?.id)).toContain('"little ward"');
  expect(await client.value("ward->state", frames[0]?.id)).toContain("WARD_RUNNING");
});

test("breakpoints that are set before paging hold in the upper half", async () => {
  await client.begin({ ...WARDEN, stopOnEntry: true });
  await client.configurationDoneRequest();
  await client.nextStop();
  await breakAt(client, "nested.c", "faults.late++", "faults.refused++");
  await client.go("continue");
  expect((await stack())[0]).toBe("handle_fault");
  expect(await locals(0)).toMatchObject({ info: OPTIMISED_OUT, gpa: "0x3ff000", index: "0x1ff" });
  await client.go("continue");
  const frame = (await client.frames())[0]?.id;
  expect(await locals(0)).toMatchObject({ gpa: "0x201000", page: "0x201000" });
  expect(await client.value("info.write", frame)).toBe("0x1");
  expect(await client.value("info.in_final", frame)).toBe("0x1");
  expect(await client.value("faults.late", frame)).toBe("0x1");
});

test("exit filters with conditions, and static locals of an optimised handler", async () => {
  const condition = `reason == "IOIO" && port == 0x3f0`;
  const filterOptions = [{ filterId: "exit", condition }];
  const stop = await client.runTo({ filters: [], filterOptions }, WARDEN);
  expect(stop.text).toMatch(/^IOIO: in 0x3f0, 4 bytes/);
  expect((await stack())[0]).toBe("switch_worlds");
  await client.setExceptionBreakpointsRequest({ filters: [] });
  await breakAt(client, "exit_port.c", "if (info.is_in)");
  await client.go("continue");
  expect((await stack())[0]).toBe("handle_port");
  expect(await locals(0)).toMatchObject({ clock: "0x7", value: "0x7", mask: OPTIMISED_OUT });
});

test("invariants over its memory are checked, and one that is broken is found", async () => {
  const invariants = ["npt_protects_hypervisor"];
  const own = { ...WARDEN, invariants, hypervisorMemory: ["0x100000-0x116000"] };
  await client.runTo({ filters: ["exit:NPF"] }, own);
  const { body } = await client.customRequest("minvisor/status");
  expect(body.invariants).toMatchObject([
    { name: "npt_protects_hypervisor", verdict: "holds", checks: 11 },
  ]);
  await client.stop();

  client = await startClient();
  const guest = { ...own, hypervisorMemory: ["0x100000-0x116000", "0x1200000-0x1201000"] };
  const stop = await client.runTo({ filters: ["invariant"] }, guest);
  expect(stop.text).toContain("0x200000");
});

test("a breakpoint on code that runs at its physical address before it is mapped where it is linked", async () => {
  await client.begin(WARDEN);
  await breakAt(client, "boot.S", "mov %eax, %cr3", "mov $stack_top, %esp");
  await client.configurationDoneRequest();
  await client.nextStop();
  expect(await client.value("$cr0 & 0x80000000")).toBe("0x0");
  expect((await client.frames())[0]).toMatchObject({ line: lineOf("boot.S", "mov %eax, %cr3") });
  await client.go("continue");
  expect(await client.value("$cr0 & 0x80000000")).toBe("0x80000000");
  const frame = (await client.frames())[0];
  expect(frame).toMatchObject({ line: lineOf("boot.S", "mov $stack_top, %esp") });
});
