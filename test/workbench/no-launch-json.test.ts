// F5 in a folder without a launch.json: at most one pick, and the sample guest boots.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Editor } from "./editor.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-empty-"));
let editor: Editor;

beforeAll(async () => {
  writeFileSync(join(folder, "hypervisor.c"), "int main(void) { return 0; }\n");
  editor = await Editor.open(folder);
}, 300_000);

afterAll(async () => {
  await editor?.close();
  rmSync(folder, { recursive: true });
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await editor.screenshot("failed-no-launch-json");
});

test("F5 with a C file open boots the sample guest", async () => {
  await editor.openFile("hypervisor.c");
  await editor.page.keyboard.press("F5");
  expect(await editor.terminalText("GUEST-DONE")).toContain("sample: real mode");
  await editor.screenshot("no-launch-json");
});
