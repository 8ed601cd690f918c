// VS Code's own views over our adapter: setVariable, disassembly, data breakpoints, conditions.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readSource, repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";
import { BreakpointsView, DisassemblyView } from "./vscode-views.ts";

const HYPERVISOR = join(repository, "minvisor/build/minvisor.elf");
let editor: Editor;
let disassembly: DisassemblyView;
let breakpoints: BreakpointsView;

beforeAll(async () => {
  editor = await Editor.open(join(repository, "samples", "minvisor.code-workspace"));
  disassembly = new DisassemblyView(editor.page);
  breakpoints = new BreakpointsView(editor);
}, 300_000);

afterAll(() => editor?.close());

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-vscode-views");
});

/** objdump's bytes of the instruction at an address. */
function objdumpBytes(address: bigint): string {
  const range = [`--start-address=${address}`, `--stop-address=${address + 16n}`];
  const text = execFileSync("objdump", ["-d", "-w", ...range, HYPERVISOR], { encoding: "utf8" });
  const line = new RegExp(`^\\s*${address.toString(16)}:\\t([0-9a-f ]+?)\\s*\\t`, "m").exec(text);
  return line![1]!;
}

test("a variable is set by a double click, and it is the machine's", async () => {
  const file = "minvisor/exit_cpuid.c";
  const line = readSource(file)
    .split("\n")
    .findIndex((text) => text.includes("if (leaf == LEAF_FEATURES)"));
  await editor.openFile(file);
  await editor.setGutterBreakpoint(line + 1);
  await editor.startDebugging("Sample guest under MinVisor");
  await editor.stopped("host · exit_cpuid", "#VMEXIT CPUID leaf 0x0");
  await editor.setVariable("leaf", "1");
  await editor.variableShows("leaf", "0x1");
  expect(await editor.number("leaf")).toBe(1n);
});

test("the disassembly view opens where the machine stands, with objdump's instructions", async () => {
  await editor.command("Open Disassembly View");
  const rows = await disassembly.rows(3);
  expect(rows[0]!.address).toBe(await editor.number("$rip"));
  for (const { address, bytes } of rows) expect(bytes, rows[0]!.text).toBe(objdumpBytes(address));
  await editor.screenshot("disassembly-view");
});

test("steps in it go by instruction, and the value that was set decides the jump", async () => {
  await disassembly.focus();
  const [compare] = await disassembly.rows(1);
  expect(compare!.text).toMatch(/^cmp \$1,/);
  await editor.stepOver();
  await disassembly.isAt(compare!.address + BigInt(compare!.bytes.split(" ").length));
  const [jump] = await disassembly.rows(1);
  const target = /^je (0x[0-9a-f]+)/i.exec(jump!.text)![1]!;
  await disassembly.focus();
  await editor.stepOver();
  await disassembly.isAt(BigInt(target));
});

test("a breakpoint that is set in it stops there", async () => {
  await disassembly.scrollOn();
  const index = await disassembly.currentIndex();
  const [, next] = await disassembly.rows(2);
  await disassembly.setBreakpoint(index + 1);
  await editor.continue();
  await editor.page
    .getByText(/Paused on instruction/)
    .first()
    .waitFor();
  await disassembly.isAt(next!.address);
  await editor.screenshot("instruction-breakpoint");
  await editor.command("Remove All Breakpoints");
});

test("a data breakpoint at an address stops at the write", async () => {
  const address = await editor.number("&guest.rbx");
  await editor.commandWithText("Add Data Breakpoint at Address", `0x${address.toString(16)} + 8`);
  await editor.pick(/^write/);
  await editor.continue();
  await editor.page
    .getByText(/Paused on change of hva@/)
    .first()
    .waitFor();
  await editor.stopped("host · exit_cpuid");
  await editor.screenshot("data-breakpoint");
  await editor.command("Remove All Breakpoints");
});

test("a bad condition of an exit filter says why in its row; a right one stops there", async () => {
  await editor.showSection("Breakpoints");
  await editor.tickBreakpoint("#VMEXIT IOIO");
  await breakpoints.editCondition("#VMEXIT IOIO", "port ==");
  const row = breakpoints.row("#VMEXIT IOIO").filter({ hasText: "port ==" });
  await editor.tooltipShows(row, 'The condition "port =="');
  await editor.screenshot("filter-condition-problem");
  await breakpoints.editCondition("#VMEXIT IOIO", "port == 0x604");
  await breakpoints.row("#VMEXIT IOIO").filter({ hasText: "port == 0x604" }).waitFor();
  await editor.continue();
  await editor.stopped("#VMEXIT IOIO");
  expect(await editor.number("port")).toBe(0x604n);
  await editor.screenshot("filter-condition");
});

test("a machine that is left stands still until it is attached to", async () => {
  const rip = await editor.number("$rip");
  await editor.command("Disconnect and Suspend");
  await editor.page.locator(".statusbar.debugging").waitFor({ state: "detached" });
  await editor.startDebugging("Attach to the machine that was left");
  await editor.page.getByText("Paused where it was left").first().waitFor();
  await editor.stopped("#VMEXIT IOIO");
  expect(await editor.number("$rip")).toBe(rip);
  await editor.screenshot("attached");
});
