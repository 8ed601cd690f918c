/** Each shipped invariant: it reads without errors, holds on a sound hypervisor, and what breaks it. */
import { expect, test } from "vitest";
import type { Machine, VmcbFieldName } from "../../emulator/index.ts";
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
const NOTHING_HAPPENS = ["save_area_is_vmruns", "save_area_stays", "host_does_not_fault"];

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

const set = (field: VmcbFieldName, value: number | bigint) => {
  return (machine: Machine) => small.vmcbOf(machine).write(field, value as never);
};
const setSegment = (name: "GDTR" | "ES" | "SS") => (machine: Machine) => {
  const vmcb = small.vmcbOf(machine);
  vmcb.write(name, { ...vmcb.read(name), limit: 0x1234 });
};

test.each([
  ["I", 0, set("INTERCEPT_CR_WRITE", 1)],
  ["I", 0, set("PAUSE_FILTER_COUNT", 1)],
  ["I", 0, set("PAUSE_FILTER_THRESHOLD", 1)],
  ["DT", 7, setSegment("GDTR")],
  ["SEG", 8, setSegment("ES")],
  ["SEG", 8, setSegment("SS")],
  ["SEG", 8, set("CPL", 3)],
  ["CR2", 9, set("CR2", 1n)],
  ["LBR", 10, set("DBGCTL", 1n)],
  ["LBR", 10, set("BR_FROM", 1n)],
  ["LBR", 10, set("BR_TO", 1n)],
  ["LBR", 10, set("LASTEXCPFROM", 1n)],
  ["LBR", 10, set("LASTEXCPTO", 1n)],
  ["AVIC", 11, set("AVIC_APIC_BAR", 0x1000n)],
  ["AVIC", 11, set("AVIC_BACKING_PAGE", 0x1000n)],
  ["AVIC", 11, set("AVIC_LOGICAL_TABLE", 0x1000n)],
  ["AVIC", 11, set("AVIC_PHYSICAL_TABLE", 0x1000n)],
] as const)("clean_bits_are_true looks at the fields of %s", (_name, bit, change) => {
  const wanted = SVM.filter(({ name }) => name === "clean_bits_are_true");
  const run = (clean: number) => {
    let attached: ReturnType<typeof attachSvm> | undefined;
    const atExit = (machine: Machine): void => {
      small.vmcbOf(machine).write("VMCB_CLEAN", clean);
      change(machine);
    };
    runWith({ atExit }, (machine) => {
      attached = attachSvm(machine, { invariants: wanted });
    });
    return attached?.violations.length;
  };
  expect([run(1 << bit), run(0xfff & ~(1 << bit))]).toEqual([1, 0]);
});

test.each<[string, string, Break]>([
  [
    "host_is_restored",
    "RIP of the save area",
    { inGuest: (m) => small.setEntry(m, 0x10_4578, BigInt(small.CODE)) },
  ],
  [
    "host_is_restored",
    "the GDT's limit",
    { inGuest: (m) => m.memory.poke(0x10_4464, Uint8Array.of(0x7f)) },
  ],
  [
    "no_stray_virtualisation",
    "x2AVIC",
    { atReset: (m) => small.vmcbOf(m).write("VINTR", 1n << 30n) },
  ],
  [
    "host_tables_in_hypervisor",
    "an IDT elsewhere",
    { atReset: (m) => Object.assign(m.state.idtr, { base: 0x60_0000n, limit: 0xfff }) },
  ],
])("%s is violated by %s", (name, _what, fault) => {
  expect(checkWith(fault).violations.map(({ invariant }) => invariant)).toContain(name);
});

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
