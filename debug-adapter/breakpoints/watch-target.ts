/** What a client means to watch: a variable, an expression or an address. */

import { parseReference } from "../addresses/memory-reference.ts";
import { type Context, stoppedIn } from "../context.ts";
import { evaluate } from "../expression/evaluate.ts";
import { parse } from "../expression/parser.ts";
import { showNumber } from "../format.ts";
import { VMCB_TYPE } from "../names/machine.ts";
import { frameNames } from "../names.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { codeFrameOf } from "../requests/stack.ts";
import { parseInteger, UserError } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import type { VariableNode } from "../variables.ts";
import { MAX_WATCHED_BYTES, parseDataId } from "./data-id.ts";

const DEFAULT_BYTES = 8;

/** Fully resolved. Throws a UserError that says why there is nothing to watch. */
export function watchTarget(context: Context, args: DP.DataBreakpointInfoArguments): ValuePlace {
  const { name, variablesReference, frameId, asAddress } = args;
  // VS Code sends "0x1000 - 0x1008" as the address 0x1000 and -8 bytes.
  const bytes = asAddress && args.bytes !== undefined ? Math.abs(args.bytes) : args.bytes;
  if (bytes !== undefined && !(bytes >= 1 && bytes <= MAX_WATCHED_BYTES)) {
    throw new UserError(
      `${bytes} bytes cannot be watched: 1 to ${MAX_WATCHED_BYTES} are possible.`,
    );
  }
  const { spaces } = stoppedIn(context).debuggee;
  if (asAddress) return memoryAt(context, name, bytes ?? DEFAULT_BYTES);
  if (variablesReference !== undefined && variablesReference > 0) {
    const { place } = variableNamed(context, variablesReference, name);
    if (place === undefined) throw new UserError(`${name} lives nowhere that can be watched.`);
    return sized(place, bytes);
  }
  if (/^\s*[hg][pv]a(@[^:]*)?:\s*(0x[0-9a-f_]+|\d+)\s*$/i.test(name)) {
    const { space, address } = spaces.resolved(parseReference(name.trim(), "hpa"));
    return { kind: "memory", space, address, size: bytes ?? DEFAULT_BYTES };
  }
  // A data breakpoint's id, which is no expression.
  if (/^\s*(?:msr|reg|vmcb):/.test(name)) return parseDataId(name);
  const frame = codeFrameOf(context, frameId);
  const { debuggee } = stoppedIn(context);
  const { place, reference, type } = evaluate(parse(name), frameNames(debuggee, frame));
  if (place !== undefined) return sized(place, bytes);
  if (type === VMCB_TYPE && bytes === undefined) {
    const whole = name.trim();
    throw new UserError(
      `${whole} is the whole VMCB, which every #VMEXIT writes: choose a field, such as ${whole}.RIP or ${whole}.N_CR3.`,
    );
  }
  if (reference === undefined) throw new UserError(`${name} lives nowhere that can be watched.`);
  return memoryAt(context, reference, bytes ?? DEFAULT_BYTES);
}

function sized(place: ValuePlace, bytes: number | undefined): ValuePlace {
  if (bytes === undefined || place.kind !== "memory") return place;
  const { bits: _, ...whole } = place;
  return { ...whole, size: bytes };
}

/** "0x1000", "4096" or a reference; a bare address is in the world where the CPU is. */
function memoryAt(context: Context, text: string, size: number): ValuePlace {
  const { spaces } = stoppedIn(context).debuggee;
  const bare = parseInteger(text);
  if (bare !== undefined) {
    const address = BigInt.asUintN(64, bare);
    return { kind: "memory", space: spaces.here(), address, size };
  }
  const { space, address } = spaces.resolved(parseReference(text, "hpa"));
  return { kind: "memory", space, address, size };
}

function variableNamed(context: Context, reference: number, name: string): VariableNode {
  const children = context.variables.get(reference);
  if (children === undefined) {
    throw new UserError("This variable is of an earlier stop: look at it again.");
  }
  const index = /^\[(\d+)\]$/.exec(name)?.[1];
  if (children.indexed !== undefined && index !== undefined) {
    const [element] = children.list(Number(index), 1, showNumber("hexadecimal"));
    if (element) return element;
  }
  const found = children
    .list(0, children.indexed ?? 0, showNumber("hexadecimal"))
    .find((each) => each.name === name);
  if (found === undefined) throw new UserError(`There is no variable ${name} here.`);
  return found;
}
