/** Requests that work on expressions. */

import { stripped } from "../../symbols/types.ts";
import { CONSOLE_COMMANDS, runConsoleCommand } from "../console/console-commands.ts";
import { type Context, stoppedIn } from "../context.ts";
import { assignText } from "../expression/assign-text.ts";
import { completionsAt } from "../expression/completion.ts";
import { evaluate, type Term } from "../expression/evaluate.ts";
import { parse } from "../expression/parser.ts";
import { formatTerm, type ShowNumber, showIn } from "../format.ts";
import { completionSource } from "../names/completion.ts";
import { assigningNames, frameNames } from "../names.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { termNode } from "../scopes/locals.ts";
import { codeFrameOf } from "./stack.ts";
import type { Handlers } from "./types.ts";
import { variableOf } from "./variables.ts";
import { tellWritten } from "./written.ts";

/** A number in the debug console is shown in both ways. */
function consoleText(term: Term, show: ShowNumber): string {
  const text = formatTerm(term, show);
  const { number, ctype } = term;
  const type = ctype && stripped(ctype);
  const isPlain = type === undefined ? term.shown === undefined : type.kind === "base";
  if (number === undefined || !isPlain || (number >= -9n && number <= 9n)) return text;
  return show.format === "decimal" || /^[tf']|'$/.test(text) ? text : `${text} (${number})`;
}

function resultText(context: DP.EvaluateArguments["context"], term: Term, show: ShowNumber) {
  if (context === "repl") return consoleText(term, show);
  if (context !== "clipboard" || term.show === undefined) return formatTerm(term, show);
  return term.show({ hex: show.format === "hexadecimal", whole: true });
}

/** What the answers of evaluate and setExpression have in common. */
function described(context: Context, expression: string, term: Term, frameId?: number) {
  const { debuggee } = stoppedIn(context);
  const names = assigningNames(debuggee, codeFrameOf(context, frameId), () => undefined);
  const node = termNode({ name: expression, term }, { expression, names });
  const { variablesReference, type, memoryReference, indexedVariables, presentationHint } =
    variableOf(context, node);
  return {
    variablesReference,
    ...(type === undefined ? {} : { type }),
    ...(memoryReference === undefined ? {} : { memoryReference }),
    ...(indexedVariables === undefined ? {} : { indexedVariables }),
    ...(presentationHint === undefined ? {} : { presentationHint }),
  };
}

export const evaluateRequests: Handlers<"evaluate" | "setExpression" | "completions"> = {
  evaluate: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const { expression, frameId } = args;
    const isConsole = args.context === "repl";
    const answer = isConsole ? runConsoleCommand(context, expression) : undefined;
    if (answer !== undefined) return { result: answer, variablesReference: 0 };
    const frame = codeFrameOf(context, frameId);
    const node = parse(expression, { assignment: isConsole });
    const names = isConsole
      ? assigningNames(debuggee, frame, (place) => tellWritten(context, place))
      : frameNames(debuggee, frame);
    const term = evaluate(node, names);
    const result = resultText(args.context, term, showIn(context, args.format));
    return { result, ...described(context, expression, term, frameId) };
  },

  setExpression: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const { expression, frameId } = args;
    const frame = codeFrameOf(context, frameId);
    const names = assigningNames(debuggee, frame, (place) => tellWritten(context, place));
    const node = parse(expression);
    assignText(evaluate(node, names), args.value, names);
    const term = evaluate(node, frameNames(debuggee, frame));
    const value = formatTerm(term, showIn(context, args.format));
    return { value, ...described(context, expression, term, frameId) };
  },

  completions: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const base = context.client.columnsStartAt1 ? 1 : 0;
    const lineBase = context.client.linesStartAt1 ? 1 : 0;
    const line = args.text.split("\n")[(args.line ?? lineBase) - lineBase] ?? args.text;
    const column = Math.max(0, args.column - base);
    const frame = codeFrameOf(context, args.frameId);
    const source = completionSource(debuggee, frame, CONSOLE_COMMANDS);
    const found = completionsAt(line.slice(0, column), source);
    return {
      targets: found.items.map(({ label, text, type, detail }, i) => ({
        label,
        ...(text === undefined ? {} : { text }),
        type,
        ...(detail === undefined ? {} : { detail }),
        sortText: String(i).padStart(3, "0"),
        start: found.start + base,
        length: column - found.start,
      })),
    };
  },
};
