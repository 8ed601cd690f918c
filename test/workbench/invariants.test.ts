// The whole way of an invariant: counts after a run, a bug and its red line, back to the culprit, all green.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";
import { InvariantsView } from "./our-views.ts";

const SAMPLE = "Sample guest under MinVisor";
const RIGHT = "struct range page = { address, address + SIZE_2MIB };";
/** Each leaf is kept from the guest by the range of the one below. */
const WRONG = "struct range page = { address - SIZE_2MIB, address };";
const INVARIANTS = "minvisor/minvisor.inv";
const WARDEN = "test/guests/pae-hypervisor/warden.inv";
const ASID = 'invariant asid_is_two on exit(CPUID) "The guest has ASID 2"';
const CULPRIT = "directory[address / SIZE_2MIB % ENTRIES] =";

/** A workspace of the developer's own, as "Open a Sample Workspace" makes it, without the seeded bugs. */
const folder = mkdtempSync(join(tmpdir(), "minvisor-own-"));
const inFolder = (path: string): string => join(folder, path);
let editor: Editor;
let view: InvariantsView;

beforeAll(async () => {
  for (const part of ["samples", "minvisor", "test/guests", "scripts/build-minvisor.mjs"])
    cpSync(join(repository, part), inFolder(part), { recursive: true, preserveTimestamps: true });
  mkdirSync(inFolder("test/seeded-bugs"));
  editor = await Editor.open(inFolder("samples/minvisor.code-workspace"));
  view = new InvariantsView(editor);
}, 300_000);

afterAll(async () => {
  await editor?.close();
  rmSync(folder, { recursive: true });
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-invariants");
});

/** The number of the line of a file, by default nested_pages.c, that holds the text. */
function lineOf(text: string, file = "minvisor/nested_pages.c"): number {
  const lines = readFileSync(inFolder(file), "utf8").split("\n");
  return lines.findIndex((line) => line.includes(text)) + 1;
}

/** Edits nested_pages.c, saves it and builds MinVisor. */
async function change(before: string, after: string): Promise<void> {
  await editor.openFile("minvisor/nested_pages.c");
  await editor.replaceLine(lineOf(before), after);
  await expect.poll(() => lineOf(after)).toBeGreaterThan(0);
  execFileSync(process.execPath, [inFolder("scripts/build-minvisor.mjs")]);
}

test("after a run, the file of invariants says how often each was checked", async () => {
  await editor.openFile(INVARIANTS);
  await editor.startDebugging(SAMPLE);
  await editor.lens(/^holds · checked [\d,]+ times · last at exit [\d,]+$/);
  await editor.terminalText("GUEST-DONE");
  await view.focus();
  await view.group("Holds", /^\d\d$/);
  expect(await view.row("Violated").count()).toBe(0);
  await editor.screenshot("invariants-hold");
}, 120_000);

test("a bug in the tables is a problem on its line, and a row that is violated", async () => {
  await change(RIGHT, WRONG);
  await editor.startDebugging(SAMPLE);
  await editor.stopped("host · minvisor_main");
  await editor.page.getByText("Paused on violation of builder_maps_one_to_one").waitFor();
  const problem = await editor.problem("builder_maps_one_to_one");
  // The editor shows the stop by itself; only then does it stay where the problem leads.
  await editor.page.locator(".tab.active", { hasText: "main.c" }).waitFor();
  await problem.dblclick();
  await editor.cursorIn("nested_pages.c", lineOf(CULPRIT));
  await editor.page.locator(".monaco-editor .squiggly-error").first().waitFor();
  await view.focus();
  await view.group("Violated", 1);
  await editor.screenshot("invariants-violated");
  await editor.contextMenu(view.row("builder_maps_one_to_one"), "Only Log Its Violations");
  await view.row("builder_maps_one_to_one").filter({ hasText: "only logged" }).waitFor();
}, 120_000);

test("running back to the culprit lands on that line", async () => {
  await editor.contextMenu(view.row("builder_maps_one_to_one"), "Run Back to the Culprit");
  await editor.page.getByText("Paused on the culprit of builder_maps_one_to_one").waitFor();
  await editor.stopped("host · nested_pages_build");
  await editor.cursorIn("nested_pages.c", lineOf(CULPRIT));
  await editor.screenshot("invariants-culprit");
}, 120_000);

test("the line mended, the next run is all green", async () => {
  await editor.stopDebugging();
  await change(WRONG, RIGHT);
  await editor.startDebugging(SAMPLE);
  await view.focus();
  await view.group("Holds", /^\d\d$/);
  expect(await view.row("Violated").count()).toBe(0);
  await editor.page.getByText("No problems have been detected").waitFor();
  await editor.screenshot("invariants-mended");
  // What was chosen in the session before goes on in this one.
  await editor.openFile(INVARIANTS);
  await editor.goToLine(lineOf("invariant builder_maps_one_to_one", INVARIANTS));
  await editor.lens(/^holds · .* · only logged$/);
}, 120_000);

test("an edit is checked on the whole recorded run: a problem on its line, and the way there", async () => {
  await editor.stopDebugging();
  await editor.tickBreakpoint("#VMEXIT MSR");
  await editor.startDebugging(SAMPLE);
  await editor.stopped("#VMEXIT MSR");
  await editor.openFile(INVARIANTS);
  // Nothing asks for it where the machine stands, nor after: CPUID's exits are in the past.
  await editor.replaceLine(1, `${ASID} : vmcb.GUEST_ASID == 2;`);
  await editor.command("Check the Whole Recorded Run");
  const toast = editor.page.locator(".notification-toast", { hasText: "violated: asid_is_two" });
  await toast.waitFor();
  await editor.problem("The guest has ASID 2");
  await editor.lens(/^never checked · seen violated at exit [\d,]+$/);
  await view.group("Never checked", /^\d+ · 1 seen violated$/);
  await editor.screenshot("invariants-whole-run");
  await toast.getByRole("button", { name: "Go to the First" }).click();
  await editor.page.getByText("Paused on violation of asid_is_two").waitFor();
  await editor.stopped("host · vmrun", "#VMEXIT CPUID");
  const problem = await editor.problem("The guest has ASID 2");
  await problem.dblclick();
  await editor.cursorIn("vmcb.c", lineOf("control->asid = ASID;", "minvisor/vmcb.c"));
}, 120_000);

test("an edit that makes it hold takes the problem away", async () => {
  await editor.openFile(INVARIANTS);
  await editor.replaceLine(1, `${ASID} : vmcb.GUEST_ASID == 1;`);
  await editor.page.getByText("No problems have been detected").waitFor();
}, 120_000);

test("the ACL2 form of the invariant under the cursor opens beside it", async () => {
  await editor.openFile(INVARIANTS);
  await editor.goToLine(1);
  await editor.command("Show ACL2 Form");
  await editor.page.locator(".tab.active", { hasText: "asid_is_two.lisp" }).waitFor();
  await editor.documentShows("(definvariant |asid_is_two|");
  await editor.screenshot("acl2-form");
}, 120_000);

test("a second hypervisor, with a file of its own: what is shipped finds what it leaves to its guest", async () => {
  await editor.stopDebugging();
  await editor.tickBreakpoint("#VMEXIT MSR", false);
  await editor.startDebugging("A second hypervisor: 32-bit with PAE");
  await editor.page.getByText("Paused on violation of svm_instructions_are_intercepted").waitFor();
  await editor.problem("vmcb.intercepts.VMLOAD is false");
  // What the other hypervisor's file says is about that one still.
  expect(await editor.page.getByText("There is no name").count()).toBe(0);
  await editor.screenshot("second-hypervisor");
  await editor.openFile(inFolder(WARDEN));
  await editor.command("Debug: Continue");
  await editor.lens(/^holds · checked 3 times · last at exit \d+$/);
  await editor.screenshot("second-hypervisor-holds");
}, 120_000);
