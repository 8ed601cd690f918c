/** What the TLB may keep of nested tables: narrower ones, large pages that are split or joined, and ASIDs used again. */
import { expect, test } from "vitest";
import type { Machine } from "../../emulator/index.ts";
import { soundHypervisor } from "./faults.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm, SVM } from "./svm.ts";

const PT = 0x10_e000;
const OTHER_ROOT = 0x10_f000;
const SECOND_VMCB = 0x11_0000;
const GUEST_RAM = 0x40_0000n;
const PAGES = Array.from({ length: 512 }, (_, i) => i);
const FLUSH_ASID = 3;
const TLB = SVM.filter(({ name }) => ["tlb_is_fresh", "asids_are_unique"].includes(name));

/** The guest's 2 MiB, page by page. */
function split(machine: Machine, bits = 0x07n): void {
  for (const i of PAGES) small.setEntry(machine, PT + 8 * i, (GUEST_RAM + BigInt(i << 12)) | bits);
  small.setEntry(machine, small.PD, BigInt(PT) | small.TABLE);
}

const join = (machine: Machine): void => small.setEntry(machine, small.PD, GUEST_RAM | small.LEAF);

/** What is violated after each of the changes, each followed by a turn. */
function violatedAfter(...changes: ((machine: Machine) => void)[]): string[][] {
  const machine = soundHypervisor();
  const { violations } = attachSvm(machine, { invariants: TLB });
  return [() => {}, ...changes].map((change) => {
    change(machine);
    machine.run({ instructions: small.TURN });
    return violations.splice(0).map(({ invariant }) => invariant);
  });
}

test("a large page that is split, and one that is made of small ones, give what they gave", () => {
  expect(violatedAfter(split, join)).toEqual([[], [], []]);
});

test.each<[string, (machine: Machine) => void]>([
  ["are read-only", (machine) => split(machine, 0x05n)],
  [
    "lack one",
    (machine) => {
      split(machine);
      small.setEntry(machine, PT + 8 * 77, 0n);
    },
  ],
  [
    "lie elsewhere",
    (machine) => {
      split(machine);
      small.setEntry(machine, PT + 8 * 77, 0x90_0007n);
    },
  ],
  [
    "are below a read-only entry",
    (machine) => {
      split(machine);
      small.setEntry(machine, small.PD, BigInt(PT) | (small.TABLE & ~2n));
    },
  ],
])("a large page that is split into pages that %s is stale", (_, change) => {
  expect(violatedAfter(change)).toEqual([[], ["tlb_is_fresh"]]);
});

test("an entry above the same table that comes to deny something makes all of it stale", () => {
  const deny = (machine: Machine): void =>
    small.setEntry(machine, small.PDPT, BigInt(small.PD) | (small.TABLE & ~2n));
  expect(violatedAfter(deny)).toEqual([[], ["tlb_is_fresh"]]);
});

test("tables that give more, or the same at another root, are fresh", () => {
  const add = (machine: Machine): void =>
    small.setEntry(machine, small.PD + 8, 0x60_0000n | small.LEAF);
  const move = (machine: Machine): void => {
    small.setEntry(machine, OTHER_ROOT, BigInt(small.PDPT) | small.TABLE);
    small.vmcbOf(machine).write("nCR3", BigInt(OTHER_ROOT));
  };
  expect(violatedAfter(add, move)).toEqual([[], [], []]);
});

/** From now on the other VMCB runs, the one with a flush or without. */
const switchTo = (vmcb: number, tlbControl: number) => (machine: Machine) => {
  if (vmcb === SECOND_VMCB && machine.memory.read(SECOND_VMCB, 8) === 0n) {
    machine.memory.poke(SECOND_VMCB, machine.memory.peek(small.VMCB, 4096).slice());
  }
  machine.memory.poke(vmcb + 0x5c, Uint8Array.of(tlbControl));
  machine.state.rax = BigInt(vmcb);
};

test("an ASID may be used again after a flush, and not without", () => {
  const toSecond = (control: number) => switchTo(SECOND_VMCB, control);
  const toFirst = (control: number) => switchTo(small.VMCB, control);
  expect(violatedAfter(toSecond(FLUSH_ASID), toFirst(FLUSH_ASID))).toEqual([[], [], []]);
  expect(violatedAfter(toSecond(0))).toEqual([[], ["asids_are_unique"]]);
  expect(violatedAfter(toSecond(FLUSH_ASID), toFirst(0))).toEqual([[], [], ["asids_are_unique"]]);
});
