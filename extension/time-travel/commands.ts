/** Commands that go through the past of the session in front. */
import { type DebugSession, Disposable, window } from "vscode";
import type { DebugProtocol, SeekArguments, TimelineBody } from "../../debug-adapter/protocol.ts";
import { orTell, registerCommand } from "../commands.ts";
import { COMMANDS, type CommandId } from "../contributions.ts";
import { counted } from "../counted.ts";
import { activeSession } from "../references.ts";
import { customRequest } from "../session.ts";
import { byteText } from "../units.ts";
import { parseCount } from "./count.ts";

/** The machine's one vCPU. */
const THREAD = 1;

/** What a key binding gives: in the disassembly view, steps are by instruction. */
interface StepSubject {
  readonly granularity?: DebugProtocol.SteppingGranularity;
}

/** Runs with our session in front; what goes wrong is told to the user. */
export async function inSession(run: (session: DebugSession) => unknown): Promise<void> {
  const session = activeSession();
  if (session) await orTell(() => run(session));
}

async function saveRecording(session: DebugSession): Promise<void> {
  const chosen = await window.showSaveDialog({
    title: "Save the run of this session",
    filters: { "MinVisor recordings": ["mvrec"] },
  });
  if (chosen === undefined) return;
  const saved = await customRequest(session, "minvisor/saveRecording", { path: chosen.fsPath });
  const size = byteText(saved.bytes);
  void window.showInformationMessage(`The recording ${saved.path} is written: ${size}.`);
}

function reverseCommand(id: CommandId, kind: "over" | "in" | "out"): Disposable {
  return registerCommand<StepSubject>(id, (subject) =>
    inSession((session) =>
      customRequest(session, "minvisor/reverse", {
        threadId: THREAD,
        kind,
        granularity: subject?.granularity === "instruction" ? "instruction" : "line",
      }),
    ),
  );
}

function seekCommand(id: CommandId, to: SeekArguments["to"] & string): Disposable {
  return registerCommand(id, () =>
    inSession((session) => customRequest(session, "minvisor/seek", { to })),
  );
}

/** A number that the user is asked for. */
interface Asked {
  readonly title: string;
  readonly first: number;
  readonly last: (timeline: TimelineBody) => number;
  readonly now: (timeline: TimelineBody) => number;
  readonly target: (count: number) => SeekArguments;
}

const EXIT: Asked = {
  title: "Go to Exit",
  first: 1,
  last: ({ exits }) => exits,
  now: ({ exit }) => exit,
  target: (exit) => ({ exit }),
};

const ICOUNT: Asked = {
  title: "Go to Instruction Count",
  first: 0,
  last: ({ endIcount }) => endIcount,
  now: ({ icount }) => icount,
  target: (icount) => ({ icount }),
};

/** What a row of a view gives. */
export interface ExitSubject {
  readonly number?: number;
}

function askedCommand(id: CommandId, { title, first, last, now, target }: Asked): Disposable {
  return registerCommand<ExitSubject>(id, (subject) =>
    inSession(async (session) => {
      if (subject?.number !== undefined) {
        await customRequest(session, "minvisor/seek", target(subject.number));
        return;
      }
      const timeline = await customRequest(session, "minvisor/timeline", {});
      const range = { first, last: last(timeline) };
      const text = await window.showInputBox({
        title,
        value: String(now(timeline)),
        prompt: `A number from ${first} to ${counted(range.last)}`,
        validateInput: (typed) => {
          const count = parseCount(typed, range);
          return typeof count === "string" ? count : undefined;
        },
      });
      const count = text === undefined ? undefined : parseCount(text, range);
      if (typeof count === "number") await customRequest(session, "minvisor/seek", target(count));
    }),
  );
}

export function registerTravelCommands(): Disposable {
  return Disposable.from(
    reverseCommand(COMMANDS.stepBackOver, "over"),
    reverseCommand(COMMANDS.stepBackInto, "in"),
    reverseCommand(COMMANDS.stepBackOut, "out"),
    seekCommand(COMMANDS.goToPreviousExit, "previousExit"),
    seekCommand(COMMANDS.goToBeginning, "start"),
    seekCommand(COMMANDS.goToEnd, "end"),
    registerCommand(COMMANDS.saveRecording, () => inSession(saveRecording)),
    askedCommand(COMMANDS.goToExit, EXIT),
    askedCommand(COMMANDS.goToInstructionCount, ICOUNT),
  );
}
