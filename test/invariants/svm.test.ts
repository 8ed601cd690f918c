/** Each shipped invariant: it reads without errors, holds on a sound hypervisor, and what breaks it. */
import { expect, test } from "vitest";
import { readInvariants, SHIPPED_INVARIANTS, type Violation } from "../../invariants/index.ts";
import { elfOf, imageOf, machineWith, programOf, REGION } from "./boot.ts";
import { BREAKS, type Break, runWith } from "./faults.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm, SVM } from "./svm.ts";

test("the shipped files have no diagnostics, and every invariant says what and where from", () => {
  const files = readInvariants(SHIPPED_INVARIANTS, undefined);
  expect(files.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
  for (const { doc, source } of SVM) {
    expect(doc).toMatch(/^[A-Z].*[^.]$/);
    expect(source).toMatch(/./);
  }
});

/** Of events that do not come where all is well. */
const NOTHING_HAPPENS = ["save_area_is_vmruns", "host_does_not_fault"];

/** Needs an image with sections: its test is below. */
const ELSEWHERE_TESTED = ["text_is_not_written"];

test("no shipped invariant lacks what breaks it", () => {
  const names = SVM.map(({ name }) => name);
  expect([...Object.keys(BREAKS), ...ELSEWHERE_TESTED].sort()).toEqual([...names].sort());
});

function checkWith(fault: Break): { violations: Violation[]; states: object } {
  let attached: ReturnType<typeof attachSvm> | undefined;
  runWith(fault, (machine) => {
    attached = attachSvm(machine, { hypervisorMemory: [small.IMAGE] });
  });
  return { violations: attached?.violations ?? [], states: attached?.states() ?? {} };
}

test("all hold on a sound hypervisor", () => {
  const { violations, states } = checkWith({});
  expect(violations).toEqual([]);
  const expected = SVM.map(({ name }) => [
    name,
    [...ELSEWHERE_TESTED, ...NOTHING_HAPPENS].includes(name) ? "never checked" : "holds",
  ]);
  expect(states).toEqual(Object.fromEntries(expected));
});

test.each(Object.entries(BREAKS))(
  "%s is violated by its fault, and no other without a reason",
  (name, fault) => {
    const { violations } = checkWith(fault);
    const names = new Set(violations.map(({ invariant }) => invariant));
    expect([...names].sort()).toEqual([name, ...(fault.also ?? [])].sort());
  },
);

test("text_is_not_written is violated by a write to MinVisor's code, and names the bytes", () => {
  const elf = elfOf();
  const machine = machineWith(imageOf(elf));
  const program = programOf(elf);
  const wanted = SVM.filter(({ name }) => name === "text_is_not_written");
  const { violations, states } = attachSvm(machine, { invariants: wanted, program });
  machine.run({ instructions: Number.MAX_SAFE_INTEGER, until: () => machine.state.exitCount > 0 });
  machine.memory.write(REGION.first + 0x1000, 4, 0n);
  expect(violations).toMatchObject([
    { invariant: "text_is_not_written", witness: { first: REGION.first + 0x1000, bytes: 4 } },
  ]);
  expect(states()).toEqual({ text_is_not_written: "violated" });
});
