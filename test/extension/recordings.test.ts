// The document about a recording without its editor: what the adapter's process says, and what is shown of it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DescribedRecording } from "../../debug-adapter/protocol.ts";
import { readContents } from "../../extension/recordings/read-contents.ts";
import { recordingHtml } from "../../extension/recordings/recording-html.ts";
import { type RecordedRun, recordSample } from "../emulator/time/recorded-run.ts";
import { adapterPath } from "../harness/dap-adapter.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-recordings-"));
const file = join(folder, "a <run> & more.mvrec");
let run: RecordedRun;
let adapter: string;

beforeAll(async () => {
  adapter = await adapterPath();
  run = recordSample(31, 100_000);
  writeFileSync(file, run.file);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const sources = { style: "s.css", cspSource: "https://own" };
const show = (described?: DescribedRecording) => recordingHtml(sources, file, described);
/** As it is read: lines without markup. */
const text = (html: string): string[] =>
  html
    .replace(/<\/(?:tr|p|h1|h2)>/g, "\n")
    .replace(/<[^>]*>/g, " ")
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim());
const counted = (count: number) => count.toLocaleString("en-US");

test("says what is in it: images, the run, exits by reason, inputs", async () => {
  const described = await readContents(adapter, file);
  if (!("contents" in described)) throw new Error(described.refused);
  const { contents } = described;
  expect(contents.problem).toBeUndefined();
  expect(contents.instructions).toBe(run.seen.at(-1)?.at.icount);
  expect(contents.inputs).toHaveLength(run.inputs);
  expect(contents.snapshots).toBeGreaterThan(2);
  const total = contents.exits!.reduce((sum, { count }) => sum + count, 0);
  expect(total).toBe(run.ledger.length);
  const lines = text(show(described));
  expect(lines).toContainEqual(
    expect.stringMatching(/^Kernel minvisor\/build\/minvisor\.elf \([\d.]+ KiB\)$/),
  );
  expect(lines).toContainEqual(
    expect.stringContaining(`Run ${counted(contents.instructions)} instructions, `),
  );
  expect(lines).toContainEqual(expect.stringMatching(/^CPUID \d+ [\d.]+ %$/));
  expect(lines).toContain(`All ${counted(total)} 100.0 %`);
  const typed = contents.inputs.find(({ what }) => what.includes("typed"))!;
  expect(lines).toContain(`icount ${counted(typed.icount)} ${typed.what}`);
});

test("its buttons debug it at its end and from its start; nothing else runs, and names are text", async () => {
  const html = show(await readContents(adapter, file));
  const links = [...html.matchAll(/href="command:minvisor\.debugRecording\?([^"]*)"/g)];
  expect(links.map(([, argument]) => JSON.parse(decodeURIComponent(argument!)))).toEqual([
    [{ recording: file, at: "end" }],
    [{ recording: file, at: "start" }],
  ]);
  expect(html).toContain("default-src 'none'; style-src https://own;\"");
  expect(html).not.toMatch(/<script|<run>| on\w+=| style=/);
  expect(html).toContain("<h1>a &lt;run&gt; &amp; more.mvrec</h1>");
});

test("of one that is cut short it says what is missing, and what is left can be debugged", async () => {
  const cut = join(folder, "cut.mvrec");
  writeFileSync(cut, run.file.subarray(0, run.file.length / 2 + run.file.length / 4));
  const html = show(await readContents(adapter, cut));
  expect(text(html)).toContainEqual(
    expect.stringMatching(/^It is cut short at byte \d+: what came after icount \d+ is missing\.$/),
  );
  expect(html).toContain("Debug from the Start");
});

test("of one that is damaged too", async () => {
  const damaged = join(folder, "damaged.mvrec");
  const bytes = run.file.slice();
  const at = bytes.length - 9_000;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  expect(text(show(await readContents(adapter, damaged)))).toContainEqual(
    expect.stringMatching(/^It is damaged at byte \d+: .* missing\.$/),
  );
});

test.each([
  ["nothing", "nothing.mvrec", undefined, /nothing\.mvrec cannot be read: it does not exist\.$/],
  ["another file", "other.mvrec", "no recording", /other\.mvrec is not a recording: .*\.$/],
])("%s is refused in one sentence", async (_, name, content, words) => {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, content);
  const described = await readContents(adapter, path);
  expect(described).toEqual({ refused: expect.stringMatching(words) });
  const html = show(described);
  expect(html).toContain('role="alert"');
  expect(html).not.toContain("command:");
});

test("while it is read, it says so", () => {
  expect(text(show())).toContain("Reading the recording ...");
});
