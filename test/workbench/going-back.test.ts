// Going back in the real VS Code workbench: its own buttons, our commands and keys, the status bar, the past changed.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readSource, repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";
import { ExitBreakpoints, ExitsView } from "./our-views.ts";

let editor: Editor;
let exitsView: ExitsView;

/** The number of the first line of a file of ours that holds the text. */
function lineOf(path: string, text: string): number {
  const index = readSource(path)
    .split("\n")
    .findIndex((line) => line.includes(text));
  expect(index, `${path} holds no "${text}"`).toBeGreaterThanOrEqual(0);
  return index + 1;
}

const vmrunLine = lineOf("minvisor/vmrun.S", "vmrun %rax");

beforeAll(async () => {
  editor = await Editor.open(join(repository, "samples", "minvisor.code-workspace"));
  exitsView = new ExitsView(editor);
}, 300_000);

afterAll(() => editor?.close());

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-going-back");
});

/** The status bar's position, once it matches. */
async function position(text: string | RegExp): Promise<string> {
  const item = editor.page.locator('.statusbar-item[id$="minvisor.position"]');
  const matching = item.filter({ hasText: text });
  await matching.waitFor();
  return ((await matching.textContent()) ?? "").replaceAll("\u00a0", " ").trim();
}

const labels = () =>
  editor.page.locator(".debug-call-stack .monaco-list-row", { hasText: "#VMEXIT" }).first();

/** The number of the exit in the label of the call stack. */
async function labelledExit(): Promise<number> {
  return Number(/\(exit (\d+)\)/.exec((await labels().textContent())!)![1]);
}

const icountOf = (text: string): number => Number(text.replaceAll(",", ""));

/** Presses a button of VS Code's own debug toolbar. */
async function press(name: RegExp): Promise<void> {
  await editor.page.getByRole("button", { name }).first().click();
}

/** The dialog in front. */
const dialog = () => editor.page.locator(".monaco-dialog-box");

let end = "";
let lastExit = 0;
let exitBefore = 0;

test("at the end of the recording the status bar has world, exit and icount", async () => {
  const exits = new ExitBreakpoints(editor);
  await exits.focus();
  await exits.showRow("CPUID", "Instructions");
  await exits.tick("CPUID");
  await editor.startDebugging("Sample guest under MinVisor");
  await editor.stopped("#VMEXIT CPUID");
  exitBefore = await labelledExit();
  await position(new RegExp(`exit ${exitBefore} · icount`));
  await editor.continue();
  await labels()
    .filter({ hasNotText: `(exit ${exitBefore})` })
    .waitFor();
  lastExit = await labelledExit();
  expect(lastExit).toBeGreaterThan(exitBefore);
  end = await position(new RegExp(`exit ${lastExit} · icount`));
  expect(end).toMatch(/^host · exit \d+ · icount [\d,]+$/);
});

test("VS Code's Step Back leads from the exit over the guest to the VMRUN", async () => {
  await press(/^Step Back/);
  await position("in the past");
  await editor.cursorIn("vmrun.S", vmrunLine);
  const shown = editor.page.locator(".view-overlays > div", {
    has: editor.page.locator(".debug-top-stack-frame-line"),
  });
  await shown.first().waitFor();
  await editor.screenshot("step-back-to-vmrun");
});

test("VS Code's Reverse goes back to the exit stop before", async () => {
  await press(/^Reverse/);
  await editor.stopped(`#VMEXIT CPUID leaf 0x0 (exit ${exitBefore})`);
  expect(await position("in the past")).toContain(`exit ${exitBefore} of ${lastExit} `);
});

test("running on in the past stops where it stopped then", async () => {
  await editor.continue();
  await editor.stopped(`(exit ${lastExit})`);
  await position(end);
});

test("Go to Previous Exit, by command and by key", async () => {
  await editor.command("MinVisor: Go to Previous Exit");
  await position(`exit ${lastExit - 1} of ${lastExit} `);
  await editor.stopped(`(exit ${lastExit - 1})`);
  await editor.keyOfStop("Control+Shift+F9");
  await position(`exit ${lastExit - 2} of ${lastExit} `);
});

test("keys step back over the guest, out of a function and into one", async () => {
  await editor.stopped(`(exit ${lastExit - 2})`);
  await editor.keyOfStop("Control+F10");
  await editor.page.getByText("Paused after step back").first().waitFor();
  await editor.cursorIn("vmrun.S", vmrunLine);
  await editor.keyOfStop("Control+Shift+F11");
  await editor.cursorIn("exit.c", lineOf("minvisor/exit.c", "vmrun((u64)&vmcb"));
  await editor.keyOfStop("Control+F11");
  await editor.cursorIn("exit.c", lineOf("minvisor/exit.c", "for (;;)"));
  await editor.keyOfStop("Control+F11");
  await editor.stopped("host · reinject_interrupted_event", "host · run_guest");
});

test("a click in the status bar leads back to the end", async () => {
  const item = editor.page.locator('.statusbar-item[id$="minvisor.position"]');
  await editor.screenshot("in-the-past");
  await item.click();
  expect(await position(`exit ${lastExit} · icount`)).toBe(end);
  await editor.stopped(`(exit ${lastExit})`);
});

test("a number of an exit is asked for; one that is not there is refused", async () => {
  await editor.commandWithText("MinVisor: Go to Exit...", String(lastExit + 1));
  await editor.page.getByText(/is not in the recording: it has 1 to /).waitFor();
  await editor.answer("3");
  await position(`exit 3 of ${lastExit} `);
});

test("a click on an exit in the view of all exits leads there, and so does Enter", async () => {
  await exitsView.focus();
  await exitsView.marks(3);
  await exitsView.row(2).click();
  await position(`exit 2 of ${lastExit} `);
  await exitsView.marks(2);
  await editor.screenshot("exits-view");
  await exitsView.press("ArrowDown");
  await exitsView.press("Enter");
  await position(`exit 3 of ${lastExit} `);
  await exitsView.marks(3);
});

test("a filter leaves the exits that fulfil it; one that is none is told", async () => {
  await exitsView.filter("reason=CPUID");
  await exitsView.status.filter({ hasText: /^\d+ exits?$/ }).waitFor();
  await exitsView.row(exitBefore).waitFor();
  expect(new Set(await exitsView.reasons())).toEqual(new Set(["CPUID"]));
  await exitsView.filter("cost~5");
  await exitsView.status.filter({ hasText: '"cost~5" is no condition' }).waitFor();
  await exitsView.filter("");
  await exitsView.marks(3);
});

test("exits are counted by what they have in common; a group leads to its own", async () => {
  await exitsView.groupBy("Port");
  await exitsView.status.filter({ hasText: " groups" }).waitFor();
  const group = exitsView.rows.first();
  await group.filter({ hasText: /^0x/ }).waitFor();
  await editor.screenshot("exits-view-groups");
  await group.click();
  await exitsView.status.filter({ hasText: /exits?$/ }).waitFor();
  expect(new Set(await exitsView.reasons())).toEqual(new Set(["IOIO"]));
  await exitsView.filter("");
  await exitsView.marks(3);
});

test("a click into the drawing leads to that instant; so do its keys", async () => {
  const before = /icount ([\d,]+)/.exec(await position("in the past"))![1]!;
  const box = (await exitsView.drawing.boundingBox())!;
  const place = { x: box.width / 2, y: box.height / 2 };
  await exitsView.drawing.hover({ position: place });
  const said = await exitsView.readout
    .filter({ hasText: /^icount [\d,]+ to [\d,]+: / })
    .textContent();
  const [from, to] = [...said!.matchAll(/[\d,]{2,}/g)].map(([text]) => icountOf(text));
  await exitsView.drawing.click({ position: place });
  const there = await position(new RegExp(`icount (?!${before})`));
  const icount = icountOf(/icount ([\d,]+)/.exec(there)![1]!);
  expect(icount).toBeGreaterThanOrEqual(from!);
  expect(icount).toBeLessThanOrEqual(to!);
  await exitsView.drawing.press("End");
  await exitsView.drawing.press("Enter");
  expect(await position(`exit ${lastExit} · icount`)).toBe(end);
  await exitsView.marks(lastExit);
  await exitsView.press("Home");
  for (let i = 1; i < 3; i++) await exitsView.press("ArrowDown");
  await exitsView.press("Enter");
  await position(`exit 3 of ${lastExit} `);
});

test("the past is changed only after a question", async () => {
  await editor.evaluate("$rbx = 0x77");
  await dialog().getByText("starts another future").waitFor();
  await dialog().getByText("is kept").waitFor();
  await editor.screenshot("change-the-past");
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await position("in the past");
  expect(await editor.number("$rbx")).not.toBe(0x77n);
  await editor.evaluate("$rbx = 0x77");
  await dialog().getByRole("button", { name: "Change the Past" }).click();
  await position("exit 3 · icount");
  expect(await editor.number("$rbx")).toBe(0x77n);
});

test("the old future is kept: it is compared with the new one, and gone back to", async () => {
  await position("exit 3 · icount");
  await position("future 2 of 2");
  await editor.command("MinVisor: Compare Futures...");
  const tab = editor.page.getByRole("tab", { name: /^Future 1 and 2, which part after exit 3 / });
  await tab.waitFor();
  const shown = editor.page.locator(".monaco-diff-editor .view-line");
  await shown.filter({ hasText: "The first exit that differs: 4" }).first().waitFor();
  await editor.screenshot("futures-compared");
  await position("future 2 of 2");
  await editor.command("MinVisor: Go to Another Future...");
  await editor.pick("Future 1");
  expect(await position("future 1 of 2")).toBe(`${end} · future 1 of 2`);
  await exitsView.focus();
  await exitsView.marks(lastExit);
});
