/** Commands that ask the past of the session in front: text, conditions, values, why an exit happened. */
import { type DebugSession, Disposable, ProgressLocation, window } from "vscode";
import type { SeekArguments } from "../../debug-adapter/protocol.ts";
import { registerCommand } from "../commands.ts";
import { COMMANDS, type CommandId } from "../contributions.ts";
import type { VariableSubject } from "../references.ts";
import { customRequest } from "../session.ts";
import { type ExitSubject, inSession } from "./commands.ts";
import { historyTitle, placeOfVariable, writeItems } from "./history.ts";

const OCCURRENCES = [
  { label: "Last", occurrence: "last" },
  { label: "First", occurrence: "first" },
  { label: "Next from Here", occurrence: "next" },
  { label: "Previous from Here", occurrence: "previous" },
] as const;
type Chosen = (typeof OCCURRENCES)[number]["occurrence"];

/** Asks for a text, and for which time it is to be found. */
function soughtCommand(
  id: CommandId,
  title: string,
  prompt: string,
  target: (text: string, occurrence: Chosen) => SeekArguments,
): Disposable {
  return registerCommand(id, () =>
    inSession(async (session) => {
      const text = await window.showInputBox({ title, prompt });
      if (!text) return;
      const picked = await window.showQuickPick(OCCURRENCES, { title });
      if (picked === undefined) return;
      await customRequest(session, "minvisor/seek", target(text, picked.occurrence));
    }),
  );
}

/** Shows that something is looked for. */
function looking<T>(title: string, work: Thenable<T>): Thenable<T> {
  return window.withProgress({ location: ProgressLocation.Window, title }, () => work);
}

async function showHistory(session: DebugSession, subject?: VariableSubject): Promise<void> {
  let place = placeOfVariable(subject);
  if (place === undefined) {
    const prompt = "An expression or an address, as vmcb.control.nested_cr3 or hpa:0x1000";
    const name = await window.showInputBox({ title: "Show History of Value", prompt });
    if (!name) return;
    place = { name };
  }
  const history = await looking(
    `Looking for writes of ${place.name}`,
    customRequest(session, "minvisor/history", place),
  );
  const title = historyTitle(history);
  const picked = await window.showQuickPick(writeItems(history), { title, matchOnDetail: true });
  if (picked) await customRequest(session, "minvisor/seek", { icount: picked.icount });
}

async function whyExit(session: DebugSession, subject?: ExitSubject): Promise<void> {
  const exit = subject?.number;
  const args = exit === undefined ? {} : { exit };
  const why = await looking("Looking for the cause", customRequest(session, "minvisor/why", args));
  const written = why.causes.flatMap((cause) => cause.written ?? []).at(-1);
  const goThere = "Go There";
  const answer = await window.showInformationMessage(
    why.text,
    ...(written === undefined ? [] : [goThere]),
  );
  if (answer !== goThere || written === undefined) return;
  await customRequest(session, "minvisor/seek", { icount: written.icount });
}

export function registerQuestionCommands(): Disposable {
  return Disposable.from(
    soughtCommand(
      COMMANDS.goToConsoleText,
      "Go to Console Text",
      "Text that a port has sent",
      (text, occurrence) => ({ console: { text, occurrence } }),
    ),
    soughtCommand(
      COMMANDS.goToCondition,
      "Go to Condition",
      'A C expression, as reason == "CPUID" && $rax == 1',
      (condition, occurrence) => ({ condition, occurrence }),
    ),
    registerCommand<VariableSubject>(COMMANDS.showHistory, (subject) =>
      inSession((session) => showHistory(session, subject)),
    ),
    registerCommand<ExitSubject>(COMMANDS.whyExit, (subject) =>
      inSession((session) => whyExit(session, subject)),
    ),
  );
}
