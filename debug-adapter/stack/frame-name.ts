/** The name of a frame of code, with what the client's StackFrameFormat asks for. */
import type { Debuggee } from "../debuggee.ts";
import type { ShowNumber } from "../format.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { localVariables } from "../scopes/locals.ts";
import type { CodeFrame } from "../stack.ts";

/**
 * "host · set_gate", or "host · minvisor.elf!set_gate(u32 vector = 0x3), line 90". No frame is ever
 * left out, so that `includeAll` asks for nothing.
 */
export function frameName(
  debuggee: Debuggee,
  frame: CodeFrame,
  format: DP.StackFrameFormat | undefined,
  show: ShowNumber,
): string {
  const module = format?.module && frame.image ? `${frame.image.name}!` : "";
  const parameters = format?.parameters ? parameterText(debuggee, frame, format, show) : "";
  const line = format?.line && frame.location ? `, line ${frame.location.line}` : "";
  const scanned = frame.certainty === "scanned" ? " (scanned)" : "";
  return `${frame.world} · ${module}${frame.name}${parameters}${line}${scanned}`;
}

/** "(u32 vector = 0x3)": the parts that are asked for, names and values where none is. */
function parameterText(
  debuggee: Debuggee,
  frame: CodeFrame,
  format: DP.StackFrameFormat,
  show: ShowNumber,
): string {
  const { parameterTypes, parameterNames, parameterValues } = format;
  const isOpen = !parameterTypes && !parameterNames && !parameterValues;
  const nodes = localVariables(debuggee, frame, show);
  const texts = frame.variables.flatMap((variable, i) => {
    if (variable.kind !== "parameter") return [];
    const { name, type = "", value = "" } = nodes[i] ?? {};
    const declared = [
      ...(parameterTypes ? [type] : []),
      ...(parameterNames || isOpen ? [name] : []),
    ].join(" ");
    if (!parameterValues && !isOpen) return [declared];
    return [declared === "" ? value : `${declared} = ${value}`];
  });
  return `(${texts.join(", ")})`;
}
