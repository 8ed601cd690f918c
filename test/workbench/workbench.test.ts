// One run in the real VS Code workbench: breakpoints, F5, stops, variables, console, problems.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSource, repository } from "../tidy/sources.ts";
import { Editor } from "./editor.ts";

const sampleWorkspace = join(repository, "samples", "minvisor.code-workspace");
let editor: Editor;

beforeAll(async () => {
  editor = await Editor.open(sampleWorkspace);
}, 300_000);

afterAll(() => editor?.close());

/** The number of the first line of a file of ours that holds the text. */
function lineOf(path: string, text: string): number {
  const index = readSource(path)
    .split("\n")
    .findIndex((line) => line.includes(text));
  expect(index, `${path} holds no "${text}"`).toBeGreaterThanOrEqual(0);
  return index + 1;
}

test("assembly is coloured", async () => {
  await editor.openFile("minvisor/vmrun.S");
  await editor.page.locator(".statusbar", { hasText: "GNU x86 Assembly" }).waitFor();
  await editor.screenshot("assembly");
});
