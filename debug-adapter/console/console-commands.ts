/** Commands of the debug console, beside expressions: one row a command. */

import { reverseTranslation } from "../addresses/reverse-translation.ts";
import { translation } from "../addresses/translation.ts";
import { type Context, stoppedIn } from "../context.ts";
import type { AccessKind } from "../protocol/addresses.ts";
import { referenceOf } from "../requests/addresses.ts";
import { UserError } from "../text.ts";

interface ConsoleCommand {
  readonly usage: string;
  readonly help: string;
  /** Gives what is shown. Throws a UserError. */
  readonly run: (context: Context, words: readonly string[]) => string;
}

const ACCESS_WORDS: Readonly<Record<string, AccessKind>> = {
  read: "read",
  write: "write",
  execute: "execute",
};
/** Lines of the console that one answer may fill. */
const MAX_LISTED = 100;

const COMMANDS: Readonly<Record<string, ConsoleCommand>> = {
  translate: {
    usage: "translate REFERENCE [read|write|execute] [user|supervisor]",
    help: "every table entry on the way to memory, what the CPU may do there, and the TLB",
    run: (context, [reference, ...words]) => {
      if (reference === undefined) throw usageError("translate");
      const kind = words.map((word) => ACCESS_WORDS[word]).find((each) => each !== undefined);
      const user = words.includes("user") ? true : words.includes("supervisor") ? false : undefined;
      const known = (word: string) => word in ACCESS_WORDS || /^(user|supervisor)$/.test(word);
      if (!words.every(known)) throw usageError("translate");
      const access = kind ?? (user === undefined ? undefined : "read");
      const { debuggee } = stoppedIn(context);
      const found = referenceOf(context, reference);
      return translation(debuggee, found, access && { kind: access, user }).text;
    },
  },
  reverse: {
    usage: "reverse REFERENCE",
    help: "every address of the host and of each guest that reaches the byte",
    run: (context, [reference, ...rest]) => {
      if (reference === undefined || rest.length > 0) throw usageError("reverse");
      const { debuggee } = stoppedIn(context);
      return reverseTranslation(debuggee, referenceOf(context, reference), MAX_LISTED).text;
    },
  },
  help: {
    usage: "help",
    help: "this list",
    run: () => {
      const all = Object.values(COMMANDS);
      const width = Math.max(...all.map(({ usage }) => usage.length));
      const lines = all.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`);
      return [
        ...lines,
        "Anything else is an expression; parentheses make one of a command's name.",
      ].join("\n");
    },
  },
};

/** Names of the commands, for completions. */
export const CONSOLE_COMMANDS: readonly string[] = Object.keys(COMMANDS);

function usageError(name: string): UserError {
  return new UserError(`Write ${COMMANDS[name]?.usage}.`);
}

/** The command's answer, or undefined where the text is no command. Throws a UserError. */
export function runConsoleCommand(context: Context, text: string): string | undefined {
  const [name = "", ...words] = text.trim().split(/\s+/);
  if (!Object.hasOwn(COMMANDS, name)) return undefined;
  // "translate = 1" and "reverse(x)" are expressions of a program that has such names.
  if (words[0] !== undefined && /^[-=+*/%<>&|^!.,?]/.test(words[0])) return undefined;
  return COMMANDS[name]?.run(context, words);
}
