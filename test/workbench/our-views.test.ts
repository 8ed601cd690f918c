// The views of this extension in the real VS Code workbench: exit breakpoints, memory, addresses.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readSource, repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";
import { ExitBreakpoints, MemoryView } from "./our-views.ts";

const sampleWorkspace = join(repository, "samples", "minvisor.code-workspace");
let editor: Editor;
let exits: ExitBreakpoints;
let memory: MemoryView;

beforeAll(async () => {
  editor = await Editor.open(sampleWorkspace);
  exits = new ExitBreakpoints(editor);
  memory = new MemoryView(editor.page);
}, 300_000);

afterAll(() => editor?.close());

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-our-views");
});

test("an exit ticked without a session stops the first run", async () => {
  await exits.focus();
  await exits.showRow("CPUID", "Instructions");
  await exits.tick("CPUID");
  await editor.screenshot("exit-breakpoints");
  await editor.startDebugging("Sample guest under MinVisor");
  await editor.stopped("#VMEXIT CPUID", "guest · ");
  await exits.row("CPUID").locator(".codicon-debug-stackframe").waitFor();
  await editor.screenshot("exit-breakpoint-hit");
});

test("the memory view shows the bytes at a reference", async () => {
  await editor.commandWithText("MinVisor: View Memory at Address", "gpa:0x7c00");
  const image = readFileSync(join(repository, "test/guests/build/sample.bin"));
  for (let offset = 0; offset < 4; offset++) {
    const text = image[offset]!.toString(16).padStart(2, "0");
    await memory.shows(0x7c00n + BigInt(offset), text);
  }
  expect(await memory.grid.getAttribute("aria-label")).toBe("Memory of gpa@g1");
  await editor.screenshot("memory-view");
});

test("a byte that is typed reaches the machine; the debug console reads it back", async () => {
  await memory.goTo("gpa:0x5000");
  await memory.shows(0x5008n, "00");
  await memory.type(0x5008n, "5a");
  await memory.shows(0x5008n, "5a");
  expect(await editor.evaluate("@gpa(0x5008, 1)")).toContain("0x5a");
});

test("it goes to an expression's address, and shows what changed at the next stop", async () => {
  await memory.goTo("&guest.rcx");
  await memory.labelled(/^Memory of hva@/).waitFor();
  const cursor = await memory.cursor();
  expect(cursor).toBe(await editor.number("&guest.rcx"));
  await editor.continue();
  await memory.changed.first().waitFor();
  const value = await editor.number("guest.rcx");
  const expected = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  for (const [i, byte] of expected.entries())
    await memory.shows(cursor + BigInt(i), byte.toString(16).padStart(2, "0"));
  await editor.screenshot("memory-view-changed");
});

test("what is no address is told in the view", async () => {
  await memory.goTo("no_such_name");
  await memory.status.filter({ hasText: "no_such_name" }).waitFor();
  await memory.goTo("hpa:0xfebffff0");
  await memory.shows(0xfebffff0n, "??");
});

test("a tick set while the machine stands still is used; a bad condition is told at the row", async () => {
  await exits.tick("CPUID", false);
  await exits.showRow("MSR");
  await exits.editCondition("MSR", "msr ==");
  await exits.row("MSR").locator(".codicon-warning").waitFor();
  expect(await exits.textOf("MSR")).toMatch(/msr ==/);
  await editor.screenshot("exit-breakpoint-problem");
  await exits.editCondition("MSR", "!write && msr == 0xc0010117");
  await exits.row("MSR").filter({ hasText: "if !write && msr == 0xc0010117" }).waitFor();
  await exits.row("MSR").locator(".codicon-warning").waitFor({ state: "detached" });
  await editor.continue();
  await editor.stopped("#VMEXIT MSR");
  expect(await editor.number("msr")).toBe(0xc001_0117n);
});

test("numbers go from hexadecimal to decimal and back", async () => {
  // Rows out of view are not there.
  const others = ["Watch", "Call Stack", "Breakpoints", "VM Exit Breakpoints"];
  for (const section of others) await editor.showSection(section, false);
  await editor.showScope("Exit");
  await editor.variableShows("code", "0x7c");
  await editor.command("MinVisor: Toggle Hexadecimal Numbers");
  await editor.variableShows("code", "124");
  await editor.screenshot("decimal");
  await editor.command("MinVisor: Toggle Hexadecimal Numbers");
  await editor.variableShows("code", "0x7c");
  await editor.showSection("Call Stack");
});

test("an address is translated through both stages", async () => {
  await editor.commandWithText("MinVisor: Translate Address", "gva:0x7c00");
  await editor.page.locator(".tab.active", { hasText: "Translation of gva@g1" }).waitFor();
  await editor.documentShows("nested PML4E");
  await editor.screenshot("translation");
});

test("what maps a physical address is listed", async () => {
  await editor.commandWithText("MinVisor: Who Maps This Physical Address", "hpa:0x7c00");
  await editor.documentShows("gpa@g1:0x7c00");
});

test("disassembly opens at an address", async () => {
  await editor.commandWithText("MinVisor: Open Disassembly at Address", "&exit_cpuid");
  await editor.documentShows("exit_cpuid.c");
  await editor.screenshot("disassembly-document");
});

test("the step policy is in the status bar; one that follows the CPU steps into the guest", async () => {
  const status = editor.page.locator(".statusbar");
  await status.getByText("Steps stay in world").click();
  await editor.pick("Follow the CPU");
  await status.getByText("Steps follow the CPU").waitFor();
  await editor.openFile("minvisor/vmrun.S");
  const lines = readSource("minvisor/vmrun.S").split("\n");
  const line = lines.findIndex((text) => text.includes("vmrun %rax")) + 1;
  await editor.setGutterBreakpoint(line);
  await editor.continue();
  await editor.page.getByText(`Paused on vmrun.S:${line}`).waitFor();
  // A key that comes before the stack has been drawn is lost.
  await editor.stopped("host · vmrun", "host · run_guest");
  await editor.stepOver();
  await editor.page.getByText("Paused after step").waitFor();
  const top = editor.page.locator(".debug-call-stack .monaco-list-row").first();
  await top.filter({ hasText: "guest · " }).waitFor();
  await editor.screenshot("followed-into-guest");
});
