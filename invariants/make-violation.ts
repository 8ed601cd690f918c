/** Puts a violation into words: what the invariant says, and for which element it does not hold. */
import { overlapping } from "./address-range.ts";
import { bytesValue } from "./bytes-value.ts";
import type { Explanation } from "./evaluate/explain.ts";
import type { EventName } from "./language/syntax.ts";
import type { CheckedInvariant } from "./language/term.ts";
import { WRITTEN } from "./model/event.ts";
import type { View } from "./model/view.ts";
import type { Violation } from "./violation.ts";
import { writerNow } from "./writer.ts";

/** Events of an instruction that may write no memory. */
const WITHOUT_MEMORY: ReadonlySet<EventName> = new Set(["msr_write", "exception"]);

export function makeViolation(
  { name, doc }: CheckedInvariant,
  explanation: Explanation,
  view: View,
  vmrunRip: bigint | undefined,
  lastGood: Violation["lastGood"],
): Violation {
  const { machine } = view;
  const { expected, actual, elements } = explanation;
  // Of a write that should not be at all, the bytes written say who did it.
  const witness = explanation.witness ?? (view.write && WRITTEN.bytes(view.write, view));
  const memory = view.hypervisor();
  const says = doc === "" ? name : doc.replace(/\.$/, "");
  const who = elements.length === 0 ? actual : elements.join(", ");
  const what = partMet(explanation, view);
  return {
    invariant: name,
    message: `${says}: ${who}${what === undefined ? "" : `, where ${what} lies`}`,
    expected,
    actual,
    icount: machine.icount,
    vmrunRip,
    exitNumber: machine.state.exitCount,
    lastGood,
    witness: witness && {
      ...witness,
      value: bytesValue(machine.memory.peek(witness.first, witness.bytes)),
    },
    writer: WITHOUT_MEMORY.has(view.event) ? writerNow(machine) : undefined,
    hypervisorMemory: {
      source: memory.source,
      ranges: memory.source === "unknown" ? [] : memory.ranges,
    },
  };
}

/** What of the hypervisor lies in the smallest range that was compared. */
function partMet({ ranges }: Explanation, view: View): string | undefined {
  const memory = view.hypervisor();
  const hpa = ranges.filter(({ space, bounds }) => space === "hpa" && bounds.length === 1);
  if (memory.source !== "derived" || hpa.length === 0) return undefined;
  for (const { bounds } of hpa) {
    const [{ first, end } = { first: 0n, end: 0n }] = bounds;
    const met = overlapping(memory.parts, Number(first), Number(end - first));
    if (met !== undefined) return `${met.what} of the hypervisor`;
  }
  return undefined;
}
