/** MinVisor with and without seeded bugs: what holds, what breaks, and the line that broke it. */

import { expect, test } from "vitest";
import type { BootImage, RunResult } from "../../emulator/index.ts";
import { type Culprit, findCulprit, runAgain, type Violation } from "../../invariants/index.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import {
  culpritLine,
  elfOf,
  imageOf,
  machineWith,
  paeHypervisor,
  programOf,
  REGION,
  read,
} from "./boot.ts";
import { NOTHING_HAPPENS } from "./minvisor-inv.ts";
import { attachSvm } from "./svm.ts";

const MODES = [
  ["derived", undefined],
  ["declared", [REGION]],
] as const;

/** Runs to the end of the sample guest, or the first violation. */
function runChecked(image: BootImage, hypervisorMemory: (typeof MODES)[number][1], stops = true) {
  const machine = machineWith(image);
  const { violations, ...attached } = attachSvm(machine, {
    program: programOf(image.name),
    ...(hypervisorMemory === undefined ? {} : { hypervisorMemory }),
    stopOnViolation: () => stops,
  });
  let result: RunResult;
  do result = machine.run({ instructions: 5_000_000 });
  while (result.reason === "idle" && !result.forever);
  return { machine, attached, violations, result };
}

function culpritOf(image: BootImage, violation: Violation): Culprit {
  const search = findCulprit(runAgain(machineWith(image), violation), violation);
  for (;;) {
    const step = search.next();
    if (step.done) return step.value;
  }
}

test.each(MODES)("a clean run with %s hv.memory holds, and was checked", (source, memory) => {
  const { machine, attached, violations, result } = runChecked(imageOf(elfOf()), memory);
  expect(violations).toEqual([]);
  expect(result.reason).toBe("powerOff");
  const { exitCount } = machine.state;
  for (const status of attached.status()) {
    // Nothing wrote the text or the save area: that is all that can be said of them.
    const state = status.name in NOTHING_HAPPENS ? "never checked" : "holds";
    expect(status).toMatchObject({ state, hypervisorMemory: source });
    if (state === "holds") expect(status.checked).toBeGreaterThanOrEqual(exitCount - 1);
    // The exit before its own last check: what was never checked has none.
    if (state === "holds") expect(status.lastExit).toBeGreaterThanOrEqual(exitCount - 1);
    else expect(status.lastExit).toBeUndefined();
  }
  expect(exitCount).toBeGreaterThan(20);
});

test("the 32-bit PAE hypervisor does not intercept VMLOAD, and keeps all else", () => {
  const { violations } = runChecked(paeHypervisor(), undefined, false);
  expect(violations.map(({ invariant, actual }) => [invariant, actual])).toEqual([
    ["svm_instructions_are_intercepted", "vmcb.intercepts.VMLOAD is false"],
  ]);
});

const BUGS = [
  ["wrong-region-size", "npt_protects_hypervisor"],
  ["tables-outside-region", "npt_tables_in_hypervisor"],
] as const;

for (const [bug, invariant] of BUGS) {
  test.each(MODES)(`${bug} is caught on its line, with %s hv.memory`, (source, memory) => {
    const image = imageOf(elfOf(bug));
    const { machine, attached, violations, result } = runChecked(image, memory);
    expect(result).toEqual({ reason: "observer", observer: "invariants" });
    expect(violations.map((violation) => violation.invariant)).toEqual([invariant]);
    const [violation] = violations as [Violation];
    expect(violation.hypervisorMemory.source).toBe(source);
    expect(violation.exitNumber).toBe(0);
    expect(machine.icount).toBe(violation.icount + 1);
    const states = Object.fromEntries(attached.status().map(({ name, state }) => [name, state]));
    expect(states[invariant]).toBe("violated");
    expect(states.vmcb_well_formed).toBe("holds");

    const symbols = new ProgramSymbols(read(elfOf(bug)), bug);
    const culprit = culpritOf(image, violation);
    expect(culprit).toMatchObject({ kind: "write", world: "host", exitNumber: 0 });
    const at = symbols.sourceAt((culprit as Extract<Culprit, { kind: "write" }>).rip);
    const path = `test/seeded-bugs/${bug}/nested_pages.c`;
    expect(`${at?.path}:${at?.line}`).toBe(`${path}:${culpritLine(path)}`);
    expect(symbols.sourceAt(violation.vmrunRip ?? 0n)?.path).toBe("minvisor/vmrun.S");
  });
}
