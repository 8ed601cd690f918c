/** Checks a whole run on a machine of its own: what each invariant says at its end, and where it was violated first. */
import {
  Guests,
  type Instant,
  type LoggedInput,
  type Machine,
  RESET,
  type SeekProgress,
  type StoredSnapshot,
  Timeline,
} from "../emulator/index.ts";
import { type AttachOptions, attachInvariants } from "./attach.ts";
import { type Culprit, findCulprit, runAgain } from "./culprit.ts";
import type { InvariantStatus, Violation } from "./violation.ts";

export interface RunToCheck {
  /** With the options and the image of the run, at reset. */
  makeMachine(): Machine;
  readonly inputs: readonly LoggedInput[];
  readonly end: Instant;
  /** Goes to where the run ends; by default to that instant. */
  readonly play?: (timeline: Timeline) => Generator<SeekProgress, unknown>;
}

export interface RunChecks
  extends Pick<AttachOptions, "invariants" | "program" | "hypervisorMemory"> {
  /** The run ends at the first violation of any. */
  readonly stopAtFirst?: boolean;
}

/** The first violation of an invariant. */
export interface RunFinding {
  readonly violation: Violation;
  readonly culprit: Culprit;
}

export interface ReplayedRun {
  /** What was violated once is violated, though it holds at the end. */
  readonly status: readonly InvariantStatus[];
  /** The first one of each invariant. */
  readonly violations: readonly Violation[];
  /** Of the run, to look for culprits from. */
  readonly snapshots: readonly StoredSnapshot[];
}

export interface CheckedRun {
  readonly status: readonly InvariantStatus[];
  readonly findings: readonly RunFinding[];
}

/** Instructions between two snapshots, from which culprits are looked for. */
const INTERVAL = 50_000_000;

export function* checkRun(
  run: RunToCheck,
  checks: RunChecks,
): Generator<SeekProgress, CheckedRun, undefined> {
  const { status, violations, snapshots } = yield* replayRun(run, checks);
  const findings: RunFinding[] = [];
  for (const violation of violations) {
    const { inputs } = run;
    const timeline = runAgain(run.makeMachine(), violation, { inputs, snapshots });
    findings.push({ violation, culprit: yield* findCulprit(timeline, violation) });
  }
  return { status, findings };
}

/** The same without culprits. */
export function* replayRun(
  run: RunToCheck,
  { stopAtFirst = false, ...checks }: RunChecks,
): Generator<SeekProgress, ReplayedRun, undefined> {
  const { inputs, end, play = (timeline: Timeline) => timeline.seek(end) } = run;
  const machine = run.makeMachine();
  const violations = new Map<string, Violation>();
  const timeline = new Timeline(machine, { denseInterval: INTERVAL, recorded: { inputs, end } });
  const attached = attachInvariants(machine, {
    ...checks,
    guests: new Guests(machine),
    stopOnViolation: () => stopAtFirst,
    onViolation: (violation) => {
      const { invariant } = violation;
      if (!violations.has(invariant)) violations.set(invariant, violation);
    },
  });
  const met = () => [...violations.values()].at(0);
  try {
    yield* stopAtFirst ? timeline.first(RESET, end, met) : play(timeline);
    if (!stopAtFirst || violations.size === 0) attached.judgeNext();
    const { all: snapshots } = timeline.snapshots.lend(machine.instant);
    const status = attached
      .status()
      .map((each) => (violations.has(each.name) ? { ...each, state: "violated" as const } : each));
    return { status, violations: [...violations.values()], snapshots };
  } finally {
    attached.detach();
    timeline.dispose();
  }
}
