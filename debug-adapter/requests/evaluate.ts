/** Requests that work on expressions. */
import { GENERAL_REGISTERS, VMCB_FIELDS } from "../../emulator/index.ts";
import { type Context, stoppedIn } from "../context.ts";
import { evaluate, numberOf, type Term } from "../expression/evaluate.ts";
import { parse } from "../expression/parser.ts";
import { formatTerm } from "../format.ts";
import { frameNames } from "../names.ts";
import { setRegisterByName } from "../register-file.ts";
import { termNode } from "../scopes/locals.ts";
import type { CodeFrame } from "../stack.ts";
import { hex, UserError } from "../text.ts";
import { codeFrameOf } from "./stack.ts";
import type { Handlers } from "./types.ts";
import { variableOf } from "./variables.ts";

const ASSIGNMENT = /^\s*\$([A-Za-z][A-Za-z0-9]*)\s*=(?!=)(.*)$/s;

/** "$rax = 1" in the debug console. */
function assign(context: Context, frame: CodeFrame | undefined, name: string, text: string): Term {
  const { debuggee } = stoppedIn(context);
  const value = numberOf(evaluate(parse(text), frameNames(debuggee, frame)));
  const registers = frame?.registers ?? debuggee.registers(debuggee.world);
  if (registers === undefined || !setRegisterByName(registers, name, value)) {
    throw new UserError(`$${name} cannot be set here.`);
  }
  context.changed();
  return { number: value };
}

export const evaluateRequests: Handlers<"evaluate" | "completions"> = {
  evaluate: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const frame = codeFrameOf(context, args.frameId);
    const assignment = args.context === "repl" ? ASSIGNMENT.exec(args.expression) : null;
    const term = assignment
      ? assign(context, frame, assignment[1] ?? "", assignment[2] ?? "")
      : evaluate(parse(args.expression), frameNames(debuggee, frame));
    const node = variableOf(context, termNode(args.expression, term));
    const { number, shown } = term;
    const decimal = number !== undefined && shown === undefined && args.context === "repl";
    return {
      result: decimal && number > 9n ? `${hex(number)} (${number})` : formatTerm(term),
      variablesReference: node.variablesReference,
      ...(node.type === undefined ? {} : { type: node.type }),
      ...(node.memoryReference === undefined ? {} : { memoryReference: node.memoryReference }),
      ...(node.indexedVariables === undefined ? {} : { indexedVariables: node.indexedVariables }),
    };
  },

  completions: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const column = args.column - (context.client.columnsStartAt1 ? 1 : 0);
    const before = args.text.slice(0, column);
    const typed = /[$\w.]*$/.exec(before)?.[0] ?? "";
    const frame = codeFrameOf(context, args.frameId);
    const names = [
      ...[...GENERAL_REGISTERS, "rip", "rflags", "cr0", "cr2", "cr3", "cr4"].map((n) => `$${n}`),
      ...Object.keys(VMCB_FIELDS).map((name) => `vmcb.${name}`),
      ...(frame?.variables.map((each) => each.name) ?? []),
      ...debuggee.images.all.flatMap((image) => [...image.symbols.symbols.names()]),
    ];
    const wanted = names.filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()));
    const start = column - typed.length + (context.client.columnsStartAt1 ? 1 : 0);
    return {
      targets: [...new Set(wanted)]
        .slice(0, 100)
        .map((label) => ({ label, start, length: typed.length })),
    };
  },
};
