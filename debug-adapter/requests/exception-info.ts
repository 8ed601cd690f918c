/** The request that tells all about the exit, shutdown or violation that stopped the machine. */
import { type Context, stoppedIn } from "../context.ts";
import { exitCauses } from "../exits/exit-cause.ts";
import { type ExitRecord, exitInfoInWords, exitReason } from "../exits/exit-log.ts";
import { guestInstruction } from "../exits/guest-instruction.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { eventText, exitDescription, vmcbAtExit } from "../scopes/exit.ts";
import { hex, UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

/** Frames in the text of the stack. */
const MOST_FRAMES = 50;

export const exceptionRequests: Handlers<"exceptionInfo"> = {
  exceptionInfo: (context) => {
    const { debuggee } = stoppedIn(context);
    const { stop } = context;
    const exception = stop?.exception;
    if (stop === undefined || exception === undefined) {
      throw new UserError("The machine did not stop on an exit, shutdown or violation.");
    }
    const { exits } = debuggee;
    const exit = exits.isAtExit ? exits.last : undefined;
    const more = exit === undefined ? stop.text : exitSentences(context, exit);
    const { id, details: message } = exception;
    return {
      exceptionId: id,
      description: more === undefined || more === message ? message : `${message}: ${more}`,
      breakMode: "always",
      details: {
        message,
        ...(exit === undefined ? { typeName: id, fullTypeName: id } : exitTypes(exit)),
        stackTrace: stackText(context),
        ...innerOf(context, exit),
      },
    };
  },
};

function exitTypes(exit: ExitRecord) {
  const typeName = `VMEXIT_${exitReason(exit)}`;
  const fullTypeName = `${typeName} (EXITCODE ${hex(exit.code)}): ${exitDescription(exit)}`;
  return { typeName, fullTypeName, evaluateName: "vmcb" };
}

/** What happened, why, and at which instruction of the guest. */
function exitSentences(context: Context, exit: ExitRecord): string {
  const { debuggee } = stoppedIn(context);
  const { machine, images } = debuggee;
  const said = exitInfoInWords(exit);
  const sentences = [said === "" ? exitDescription(exit) : `${said}. ${exitDescription(exit)}`];
  const vmcb = vmcbAtExit(debuggee, exit);
  if (vmcb !== undefined) {
    const cause = exitCauses(machine, exit, vmcb).at(-1);
    if (cause !== undefined && cause.name !== "check") sentences.push(`Cause: ${cause.text}`);
    const { linear, text } = guestInstruction(machine, context.services.disassembler, exit, vmcb);
    const place = images.nameOf("guest", linear);
    const where = `${hex(exit.guestRip)}${place === undefined ? "" : ` (${place})`}`;
    sentences.push(`Guest at ${where}: ${text ?? "its instruction cannot be read"}`);
  }
  return `${sentences.join(". ")}.`;
}

/** An event whose delivery the exit cut short, or the faults that made a shutdown. */
function innerOf(
  context: Context,
  exit: ExitRecord | undefined,
): { innerException?: DP.ExceptionDetails[] } {
  const { debuggee } = stoppedIn(context);
  if (exit === undefined) {
    if (context.stop?.exception?.id !== "shutdown") return {};
    const innerException = debuggee.exits.faultChain.map((message) => ({ message }));
    return innerException.length === 0 ? {} : { innerException };
  }
  const vmcb = vmcbAtExit(debuggee, exit);
  const event = vmcb?.read("EXITINTINFO") ?? 0n;
  if (vmcb === undefined || event === 0n) return {};
  const message = `during the delivery of ${eventText(event, vmcb)}`;
  return { innerException: [{ message, typeName: "EXITINTINFO" }] };
}

/** "at run_guest (exit.c:64)", a line a frame. */
function stackText(context: Context): string {
  const lines = context
    .stack()
    .slice(0, MOST_FRAMES)
    .map((frame) => {
      if (frame.kind === "label") return frame.name;
      const { world, name, location, pc } = frame;
      const file = location?.path.split(/[\\/]/).at(-1);
      const place = location === undefined ? hex(pc) : `${file}:${location.line}`;
      return `    at ${world} · ${name} (${place})`;
    });
  return lines.join("\n");
}
