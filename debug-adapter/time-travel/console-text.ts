/** Looks for a text that left a port: met when its last byte has. */
import { TAIL_LENGTH } from "../console/console-tail.ts";
import type { Debuggee } from "../debuggee.ts";
import type { ConsolePort } from "../protocol.ts";
import { UserError } from "../text.ts";
import type { Arm } from "./search.ts";

/** On one port, or on any. Throws a UserError for a text that cannot be looked for. */
export function consoleText(
  { machine, consoleTail }: Debuggee,
  text: string,
  port: ConsolePort | undefined,
): Arm<ConsolePort> {
  const wanted = String.fromCharCode(...new TextEncoder().encode(text.replaceAll("\r", "")));
  if (wanted === "" || wanted.length > TAIL_LENGTH) {
    throw new UserError(
      `A text of ${wanted.length} bytes cannot be looked for: 1 to ${TAIL_LENGTH} are possible.`,
    );
  }
  const last = wanted.charCodeAt(wanted.length - 1);
  return (meet) =>
    machine.observe({
      name: "console text",
      on: {
        console: ({ source, byte }) => {
          if (byte !== last || (port !== undefined && source !== port)) return undefined;
          return consoleTail.of(source).endsWith(wanted) ? meet(source as ConsolePort) : undefined;
        },
      },
    });
}
