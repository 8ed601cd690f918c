// A recording in the real VS Code workbench: saved from a session, opened by a double click, debugged by its button.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FrameLocator, Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Editor } from "./editor.ts";
import { ExitBreakpoints } from "./our-views.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-recording-"));
const POLL = { timeout: 30_000 };
let editor: Editor;
let end = "";

beforeAll(async () => {
  editor = await Editor.open(folder);
}, 300_000);

afterAll(async () => {
  await editor?.close();
  rmSync(folder, { recursive: true });
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-recording");
});

/** The document in front. */
const page = (): FrameLocator =>
  editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");

const row = (): Locator =>
  editor.page.locator(".explorer-folders-view .monaco-list-row", { hasText: "saved.mvrec" });

/** The status bar's position, once it matches. */
async function position(text: string | RegExp): Promise<string> {
  const item = editor.page.locator('.statusbar-item[id$="minvisor.position"]');
  const matching = item.filter({ hasText: text });
  await matching.waitFor({ timeout: 60_000 });
  return ((await matching.textContent()) ?? "").replaceAll("\u00a0", " ").trim();
}

test("Save Recording... writes the run of a session", async () => {
  const exits = new ExitBreakpoints(editor);
  await exits.focus();
  await exits.showRow("CPUID", "Instructions");
  await exits.tick("CPUID");
  await editor.command("MinVisor: Debug the Sample Guest under MinVisor");
  await editor.stopped("#VMEXIT CPUID");
  end = await position("icount");
  await editor.command("MinVisor: Save Recording...");
  const dialog = editor.page.locator(".quick-input-widget:visible");
  await dialog.getByText("Save the run of this session").waitFor();
  const path = dialog.locator("input.input");
  // The dialog puts its own folder there once it has looked at it.
  await expect
    .poll(async () => {
      await path.fill(join(folder, "saved.mvrec"));
      await editor.page.waitForTimeout(1000);
      return path.inputValue();
    }, POLL)
    .toBe(join(folder, "saved.mvrec"));
  await dialog.getByRole("button", { name: "OK" }).click();
  await editor.page
    .getByText(/saved\.mvrec is written/)
    .first()
    .waitFor();
  await editor.stopDebugging();
});

test("a double click in the explorer says what is in it", async () => {
  await editor.page.keyboard.press("Control+Shift+E");
  await row().dblclick();
  await page().getByRole("heading", { name: "saved.mvrec" }).waitFor();
  const exit = page().getByRole("row", { name: /^CPUID/ });
  await exit.waitFor();
  await editor.screenshot("recording");
  const icount = /icount ([\d,]+)/.exec(end)![1]!;
  await page().getByText(`${icount} instructions`).waitFor();
});

test("Debug stands at its end, where the session was that saved it", async () => {
  await page().getByRole("button", { name: "Debug", exact: true }).click();
  expect(await position("icount")).toBe(end);
});
