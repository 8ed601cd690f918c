/** What clients are told of invariants and their violations. */
import {
  blame,
  type CheckedInvariant,
  type InvariantStatus as Status,
  type Violation,
  violationText,
} from "../../invariants/index.ts";
import type { Images } from "../images.ts";
import type { InvariantPolicy, InvariantStatus, SourceLine, ViolationBody } from "../protocol.ts";
import type { Stop } from "../runner.ts";
import { hex } from "../text.ts";
import type { InvariantFiles } from "./invariant-files.ts";
import type { SeenViolation } from "./violation-history.ts";

export function violationBody(
  { violation, culprit: found, stack }: Readonly<SeenViolation>,
  files: InvariantFiles,
  images: Images,
): ViolationBody {
  const { invariant, message, expected, actual, icount, exitNumber: exit, lastGood } = violation;
  const blamed = blame(violation, found, (world, rip) => images.sourceAt(world, rip));
  const { remark, culprit, vmrun, lastGood: at } = blamed;
  return {
    ...{ invariant, expected, actual, icount, exit, vmrun },
    culprit: culprit && { ...culprit, ...(stack === undefined ? {} : { stack }) },
    message: remark === undefined ? message : `${message}. ${remark}`,
    invariantAt: files.placeOf(invariant),
    ...(lastGood === undefined
      ? {}
      : { lastGoodCheck: { icount: lastGood.icount, exit: lastGood.exitNumber, at } }),
  };
}

const UNCHECKED = {
  state: "never checked",
  ...{ checked: 0, lastExit: undefined, reason: undefined },
} as const;

/** `status` is undefined for one that is off. */
export function statusBody(
  { name, doc, source }: CheckedInvariant,
  status: Status | undefined,
  rest: {
    readonly at: SourceLine | undefined;
    readonly policy: InvariantPolicy;
    readonly violation: ViolationBody | undefined;
  },
): InvariantStatus {
  const { state, checked, lastExit, reason } = status ?? UNCHECKED;
  const { at, policy, violation } = rest;
  return {
    ...{ name, verdict: state, checks: checked, doc },
    ...(source === undefined ? {} : { source }),
    ...(lastExit === undefined ? {} : { lastExit }),
    ...(reason === undefined ? {} : { reason }),
    ...{ at, policy },
    ...(violation === undefined ? {} : { violation }),
  };
}

/** A violation, as a session stops there. */
export function stopAtViolation(violation: Violation): Stop {
  const { invariant } = violation;
  return {
    reason: "exception",
    description: `Paused on violation of ${invariant}`,
    text: violationText(violation),
    exception: { id: "invariant", details: invariant },
  };
}

/** A violation that does not stop, in one line. */
export function violationLine(violation: Violation, vmrun: SourceLine | undefined): string {
  const { invariant, icount, exitNumber, witness } = violation;
  const at = vmrun === undefined ? "" : ` at ${vmrun.path}:${vmrun.line}`;
  const bytes =
    witness === undefined
      ? ""
      : ` Witness: hpa:${hex(witness.first)}, ${witness.bytes} bytes, ${hex(witness.value)}.`;
  return `${invariant} is violated${at}, icount ${icount}, exit ${exitNumber}: ${violationText(violation)}${bytes}`;
}
