// One run in the real VS Code workbench: breakpoints, F5, stops, variables, console, problems.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readSource, repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";

const sampleWorkspace = join(repository, "samples", "minvisor.code-workspace");
let editor: Editor;

beforeAll(async () => {
  editor = await Editor.open(sampleWorkspace);
}, 300_000);

afterAll(() => editor?.close());

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed");
});

/** The number of the first line of a file of ours that holds the text. */
function lineOf(path: string, text: string): number {
  const index = readSource(path)
    .split("\n")
    .findIndex((line) => line.includes(text));
  expect(index, `${path} holds no "${text}"`).toBeGreaterThanOrEqual(0);
  return index + 1;
}

/** Opens a file of ours with the cursor at a name, the first that stands behind a text. */
async function goToName(path: string, before: string, name: string): Promise<void> {
  const line = lineOf(path, before + name);
  const text = readSource(path).split("\n")[line - 1] ?? "";
  await editor.openFile(path);
  await editor.goToLine(line, text.indexOf(before + name) + before.length + 1);
}

const SAMPLE = "Sample guest under MinVisor";

test("assembly has its language", async () => {
  await editor.openFile("minvisor/vmrun.S");
  await editor.page.locator(".statusbar", { hasText: "GNU x86 Assembly" }).waitFor();
  await editor.screenshot("assembly");
});

test("a breakpoint in the margin stops MinVisor with the guest below it", async () => {
  await editor.openFile("minvisor/exit_cpuid.c");
  const line = lineOf("minvisor/exit_cpuid.c", "count_cpuid(leaf);");
  await editor.setGutterBreakpoint(line);
  await editor.startDebugging(SAMPLE);
  await editor.page.locator(".debug-top-stack-frame-line").waitFor({ timeout: 60_000 });
  await editor.stopped("host · exit_cpuid", "host · run_guest", "#VMEXIT CPUID", "guest · start");
});

test("the exit is decoded among the variables", async () => {
  await editor.showScope("Exit");
  expect(await editor.variable("reason")).toContain("CPUID");
  expect(await editor.variable("leaf")).toContain("0x0");
  await editor.screenshot("breakpoint");
});

test("an exit filter stops at the exit itself", async () => {
  await editor.tickBreakpoint("#VMEXIT MSR");
  await editor.command("Remove All Breakpoints");
  await editor.continue();
  await editor.stopped("#VMEXIT MSR");
  await editor.screenshot("exit-filter");
});

test("stepping goes on from line to line", async () => {
  await editor.stepOver();
  await editor.page.getByText("Paused after step").waitFor();
  await editor.stopped("host · vmrun", "#VMEXIT MSR");
});

test("a step over VMRUN runs the guest to its next exit", async () => {
  await editor.tickBreakpoint("#VMEXIT MSR", false);
  const line = lineOf("minvisor/vmrun.S", "vmrun %rax");
  await editor.openFile("minvisor/vmrun.S");
  await editor.setGutterBreakpoint(line);
  await editor.continue();
  await editor.page.getByText(`Paused on vmrun.S:${line}`).waitFor();
  // A key that comes before the stop has been drawn is nobody's.
  await editor.stopped("host · vmrun", "host · run_guest", "#VMEXIT");
  await editor.cursorIn("vmrun.S", line);
  await editor.stepOver();
  await editor.page.getByText("Paused after step").waitFor();
  await editor.cursorIn("vmrun.S", line + 1);
  await editor.stopped("host · vmrun", "host · run_guest", "#VMEXIT", "guest · ");
  await editor.command("Remove All Breakpoints");
});

test("the guest's console is a terminal", async () => {
  await editor.continue();
  const text = await editor.terminalText("GUEST-DONE");
  expect(text).toContain("sample: long mode");
  await editor.screenshot("guest-console");
});

test("a seeded bug is a problem on the line that made it", async () => {
  await editor.startDebugging("Seeded bug: wrong region size");
  const problem = await editor.problem("npt_protects_hypervisor");
  await editor.page.getByText(/Paused on violation/).waitFor();
  // The editor shows the stop by itself; only then does it stay where the problem leads.
  await editor.page.getByText("Exception has occurred").waitFor();
  await problem.dblclick();
  const file = "test/seeded-bugs/wrong-region-size/nested_pages.c";
  await editor.cursorIn("nested_pages.c", lineOf(file, "// culprit"));
  await editor.page.locator(".monaco-editor .squiggly-error").first().waitFor();
  await editor.screenshot("violation");
});

test("a hover over a name of an .inv file has its value where the machine stands, and what it means", async () => {
  await goToName("minvisor/minvisor.inv", "npt(vmcb.", "nCR3");
  await editor.hoverShows("vmcb.nCR3 = 0x");
  await editor.hoverShows("Vmcb.nCR3: integer");
  await editor.screenshot("invariant-hover");
});

test("definitions lead from an .inv file into C", async () => {
  await goToName("minvisor/minvisor.inv", "hpa($", "minvisor_region");
  await editor.page.keyboard.press("F12");
  await editor.cursorIn("main.c", lineOf("minvisor/main.c", "minvisor_region = "));
});

test("another run clears the problem", async () => {
  await editor.stopDebugging();
  await editor.startDebugging(SAMPLE);
  await editor.page.getByText("No problems have been detected").waitFor();
});
