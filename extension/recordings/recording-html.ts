/** The document that shows what is in a recording, and offers to debug it. */
import type {
  DescribedRecording,
  RecordedImage,
  RecordingContents,
} from "../../debug-adapter/protocol.ts";
import { COMMANDS } from "../contributions.ts";
import { counted } from "../counted.ts";
import { escaped, type PageSources, pageHtml } from "../page-html.ts";
import { byteText, timeText } from "../units.ts";

/** What the command that debugs a recording is about. */
export interface DebugRecording {
  readonly recording: string;
  readonly at: "start" | "end";
}

/** `described` is undefined while the file is read. */
export function recordingHtml(
  sources: PageSources,
  path: string,
  described: DescribedRecording | undefined,
): string {
  const name = path.replace(/.*[/\\]/, "");
  return pageHtml(sources, name, `<h1>${escaped(name)}</h1>\n${bodyOf(path, described)}`);
}

function bodyOf(path: string, described: DescribedRecording | undefined): string {
  if (described === undefined) return '<p role="status">Reading the recording ...</p>';
  if ("refused" in described) {
    return `<p class="problem" role="alert">It cannot be opened: ${escaped(described.refused)}</p>`;
  }
  const { contents } = described;
  const { problem } = contents;
  const missing =
    problem === undefined ? "" : `<p class="problem" role="alert">${escaped(problem)}</p>\n`;
  return `${missing}<p class="actions">${link(path, "end", "Debug")} ${link(path, "start", "Debug from the Start")}</p>
${facts(contents)}
<h2>Exits</h2>
${exits(contents)}
<h2>Inputs</h2>
${inputs(contents)}`;
}

function link(recording: string, at: DebugRecording["at"], label: string): string {
  const subject: DebugRecording = { recording, at };
  const argument = encodeURIComponent(JSON.stringify([subject]));
  return `<a class="button" role="button" href="command:${COMMANDS.debugRecording}?${escaped(argument)}">${label}</a>`;
}

const plural = (count: number, one: string): string =>
  `${counted(count)} ${one}${count === 1 ? "" : "s"}`;

const image = ({ name, bytes, args }: RecordedImage): string => {
  const line = args === undefined ? "" : ` <code>${escaped(args)}</code>`;
  return `<code>${escaped(name)}</code> (${byteText(bytes)})${line}`;
};

function facts(contents: RecordingContents): string {
  const { kernel, modules, append, memoryBytes, instructions, ticks, fileBytes } = contents;
  const rows: (readonly [string, string])[] = [
    ["Kernel", image(kernel)],
    ...(append ? [["Command line", code(append)] as const] : []),
    ...modules.map((each, i) => [`Module ${i + 1}`, image(each)] as const),
    ["Memory", byteText(memoryBytes)],
    ["Run", `${plural(instructions, "instruction")}, ${timeText(ticks)} of its time`],
    [
      "File",
      `${byteText(fileBytes)}, ${plural(contents.snapshots, "snapshot")}, ${plural(contents.checks, "check")}`,
    ],
  ];
  const lines = rows.map(
    ([name, value]) => `<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  );
  return `<table id="facts">\n${lines.join("\n")}\n</table>`;
}

const code = (text: string): string => `<code>${escaped(text)}</code>`;

function exits({ exits: all }: RecordingContents): string {
  if (all === undefined) return "<p>They are not in the file: a session finds them on its way.</p>";
  const total = all.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "<p>There was none.</p>";
  const rows = [...all, { reason: "All", count: total }].map(
    ({ reason, count }) =>
      `<tr><th scope="row">${escaped(reason)}</th><td class="number">${counted(count)}</td><td class="number">${((100 * count) / total).toFixed(1)} %</td></tr>`,
  );
  return `<table id="exits">\n${rows.join("\n")}\n</table>`;
}

function inputs({ inputs: all }: RecordingContents): string {
  if (all.length === 0) return "<p>Nothing was typed or changed.</p>";
  const rows = all.map(
    ({ icount, what }) =>
      `<tr><td class="number">icount ${counted(icount)}</td><td>${escaped(what)}</td></tr>`,
  );
  return `<table id="inputs">\n${rows.join("\n")}\n</table>`;
}
