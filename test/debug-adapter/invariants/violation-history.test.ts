// Where invariants were seen to turn false: the first and the last time, in each future of the run.
import { expect, test } from "vitest";
import { ViolationHistory } from "../../../debug-adapter/invariants/violation-history.ts";
import type { Violation } from "../../../invariants/index.ts";

const violation = (icount: number, invariant = "low"): Violation => ({
  ...{ invariant, icount, message: "", expected: "", actual: "" },
  ...{ vmrunRip: undefined, exitNumber: 0, lastGood: undefined, witness: undefined },
  writer: undefined,
  hypervisorMemory: { source: "unknown", ranges: [] },
});
const seenIn = (history: ViolationHistory, name = "low") =>
  [history.first(name), history.last(name)].map((each) => each?.violation.icount);

test("the first and the last are kept, and one that comes again is the same", () => {
  const history = new ViolationHistory();
  expect(seenIn(history)).toEqual([undefined, undefined]);
  const second = history.note(violation(200), "says");
  history.note(violation(300), "says");
  const first = history.note(violation(100), "says");
  expect(seenIn(history)).toEqual([100, 300]);
  first.culprit = { kind: "neverSet" };
  expect(history.note(violation(100), "says")).toBe(first);
  expect(history.note(violation(200), "says")).not.toBe(second);
  expect(history.first("low")?.culprit).toEqual({ kind: "neverSet" });
  history.note(violation(50, "other"), "says so");
  history.keepIfSame("low", "says");
  expect(seenIn(history)).toEqual([100, 300]);
  history.keepIfSame("low", "says something else");
  expect(seenIn(history)).toEqual([undefined, undefined]);
  expect(seenIn(history, "other")).toEqual([50, 50]);
});

test("another future has only what came before it parted, and the one left has its own again", () => {
  const history = new ViolationHistory();
  for (const icount of [100, 200, 300]) history.note(violation(icount), "says");
  history.note(violation(250, "late"), "says");
  history.forked(1, 200);
  expect(seenIn(history)).toEqual([100, 100]);
  expect(seenIn(history, "late")).toEqual([undefined, undefined]);
  history.note(violation(400), "says");
  history.switched(2, 1);
  expect(seenIn(history)).toEqual([100, 300]);
  expect(seenIn(history, "late")).toEqual([250, 250]);
  history.switched(1, 2);
  expect(seenIn(history)).toEqual([100, 400]);
  history.keepIfSame("late", "says something else");
  history.switched(2, 1);
  expect(seenIn(history, "late")).toEqual([undefined, undefined]);
  history.dropped(2);
  history.switched(1, 2);
  expect(seenIn(history)).toEqual([undefined, undefined]);
});
