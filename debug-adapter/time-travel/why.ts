/** Why an exit happened: its causes, and who wrote last what asked for it. */
import { type Instant, type Timeline, VMCB_FIELDS, vmcbFieldBytes } from "../../emulator/index.ts";
import type { Hit } from "../breakpoints/breakpoint.ts";
import type { Debuggee } from "../debuggee.ts";
import { type Cause, exitCauses } from "../exits/exit-cause.ts";
import { exitReason, exitTitle } from "../exits/exit-log.ts";
import type { ExitCause, WhyBody } from "../protocol.ts";
import { vmcbAtExit } from "../scopes/exit.ts";
import { hex, UserError } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import type { Inquiry } from "./inquiry.ts";
import { writeRow, writesBefore } from "./writes.ts";

/** Of the exit at an instant. The machine is left somewhere in the past. */
export function* whyExit(debuggee: Debuggee, timeline: Timeline, at: Instant): Inquiry<WhyBody> {
  yield* timeline.seek(at);
  const { machine, exits } = debuggee;
  const exit = exits.last;
  const vmcb = exit && vmcbAtExit(debuggee, exit);
  if (exit === undefined || vmcb === undefined) {
    throw new UserError("Why this exit happened is not known: its VMCB is not.");
  }
  const title = exitTitle(exit, machine);
  const causes: ExitCause[] = [];
  for (const cause of exitCauses(machine, exit, vmcb)) {
    causes.push(yield* explained(debuggee, timeline, cause, at, exit.vmcb));
  }
  const text = [`${title}.`, ...causes.map(causeText)].join(" ");
  return { exit: exit.number, reason: exitReason(exit), causes, text };
}

function* explained(
  debuggee: Debuggee,
  timeline: Timeline,
  cause: Cause,
  at: Instant,
  vmcb: number,
): Inquiry<ExitCause> {
  const { name, text, address } = cause;
  if (address === undefined) return { name, text };
  const place = placeOf(cause, address, vmcb);
  const [last] = yield* writesBefore(debuggee, timeline, place, at, 1, isChange);
  const found = { name, text, memoryReference: `hpa:${hex(address)}` };
  // What stores the same value again is not what made it so.
  return last === undefined ? found : { ...found, written: writeRow(last) };
}

const isChange = ({ fields }: Hit): boolean => fields.old !== fields.new;

/** The bits of the field or of the map, or the entry. */
function placeOf({ entry, bits }: Cause, address: number, vmcb: number): ValuePlace {
  const offset = address - vmcb;
  const field = (Object.keys(VMCB_FIELDS) as (keyof typeof VMCB_FIELDS)[]).find((name) => {
    const start = VMCB_FIELDS[name].offset;
    return start <= offset && offset < start + vmcbFieldBytes(name);
  });
  const part = bits === undefined ? {} : { bits };
  if (field !== undefined) return { kind: "vmcb", vmcb, field, ...part };
  const size = entry?.bytes ?? Math.ceil(((bits?.offset ?? 0) + (bits?.width ?? 1)) / 8);
  return { kind: "memory", space: { kind: "hpa" }, address: BigInt(address), size, ...part };
}

function causeText({ text, memoryReference, written }: ExitCause): string {
  if (memoryReference === undefined) return `${text}.`;
  if (written === undefined) {
    return `${text}; it was never changed since the loader or the zero fill.`;
  }
  const { writer, old, new: now } = written;
  return `${text}; ${memoryReference} was changed last by ${writer}: ${old} -> ${now}.`;
}
