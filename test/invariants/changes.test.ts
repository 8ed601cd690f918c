/** `changes`: the words that differ from the earlier event's, whoever wrote, against copies of all RAM. */

import { expect, test } from "vitest";
import { Guests, type Machine, PageReason } from "../../emulator/index.ts";
import { attachInvariants, readInvariants, type Violation } from "../../invariants/index.ts";
import { randomFraction } from "../harness/random.ts";
import * as small from "./small-hypervisor.ts";

const FREE = 0x60_0000;
const PAGES = 8;
const SEED = 30_303;

function attach(machine: Machine, says: string) {
  const [file] = readInvariants([{ path: "a.inv", text: `invariant a ${says};` }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const violations: Violation[] = [];
  const attached = attachInvariants(machine, {
    invariants: file?.invariants ?? [],
    program: undefined,
    guests: new Guests(machine),
    onViolation: (violation) => violations.push(violation),
  });
  const status = () => attached.status()[0]?.state;
  const checked = () => attached.status()[0]?.checked;
  return { ...attached, violations, status, checked };
}

/** One turn, in which the guest or the host writes, between the two events. */
function turn(machine: Machine, write: () => void): void {
  machine.run({ instructions: small.TURN });
  write();
}

const ramOf = (machine: Machine) => machine.memory.peek(FREE, PAGES * 4096).slice();

/** Words of 8 that differ. */
function differing(before: Uint8Array, after: Uint8Array): number {
  const [a, b] = [new BigUint64Array(before.buffer), new BigUint64Array(after.buffer)];
  return a.reduce((count, word, i) => count + (word === b[i] ? 0 : 1), 0);
}

test(`as many changes as words that differ, with snapshots and hashes between (seed ${SEED})`, () => {
  const next = randomFraction(SEED);
  const machine = small.smallHypervisor();
  const free = `hpa(${FREE}, ${PAGES * 4096})`;
  let expected = -1;
  const { violations, status, detach } = attach(
    machine,
    `on vmrun: count(c in changes if within(c.range, ${free})) == cpu.rbx`,
  );
  turn(machine, () => {});
  let before = ramOf(machine);
  for (let i = 0; i < 200; i++) {
    // After the exit of this turn the jump comes, then the VMRUN that judges.
    const writes = Math.floor(next() * 6);
    for (let n = 0; n < writes; n++) {
      const at = FREE + Math.floor(next() * (PAGES * 4096 - 8));
      const size = ([1, 2, 4, 8] as const)[Math.floor(next() * 4)] ?? 1;
      const isSame = next() < 0.3;
      const value = isSame ? machine.memory.read(at, size) : BigInt(Math.floor(next() * 2 ** 32));
      if (next() < 0.2) machine.memory.poke(at, Uint8Array.of(Number(value & 0xffn)));
      else machine.memory.write(at, size, value);
      if (next() < 0.1) machine.stateHash();
      if (next() < 0.1) machine.snapshot();
    }
    expected = differing(before, ramOf(machine));
    machine.state.rbx = BigInt(expected);
    turn(machine, () => {});
    expect([i, status(), violations]).toEqual([i, "holds", []]);
    before = ramOf(machine);
  }
  detach();
});

test("the element says what was where, and its bytes are the witness", () => {
  const machine = small.smallHypervisor();
  const { violations } = attach(machine, `on vmrun: forall c in changes : !(${FREE} in c.range)`);
  turn(machine, () => machine.memory.write(FREE - 2, 4, 0x0403_0201n));
  turn(machine, () => {});
  expect(violations).toMatchObject([
    {
      message: "a: c is the change at hpa:0x600000 from 0x0 to 0x403",
      witness: { first: FREE, bytes: 2, value: 0x403n },
    },
  ]);
});

test("at an exit they are what VMRUN, the guest and #VMEXIT changed, and not the host", () => {
  const machine = small.smallHypervisor();
  // The CPU sets Accessed and Dirty bits in the nested tables.
  const own = `join(join(vmcb.range, host.save_area), hpa(${small.PML4}, 12K))`;
  const { violations, checked } = attach(
    machine,
    `on exit: forall c in changes : within(c.range, ${own}) || exit.number > 2`,
  );
  turn(machine, () => machine.memory.write(FREE, 8, 5n));
  turn(machine, () => {});
  expect([checked(), violations]).toEqual([2, []]);
  // mov [8], eax; vmmcall, with DS at 0x30000
  machine.memory.poke(small.GUEST_CODE, Uint8Array.of(0x66, 0xa3, 8, 0, 0x0f, 0x01, 0xd9));
  const other = attach(machine, `on exit: forall c in changes : within(c.range, ${own})`);
  for (let i = 0; i < 2; i++) turn(machine, () => {});
  expect(other.violations).toMatchObject([{ witness: { first: 0x43_0008, bytes: 2 } }]);
});

test("they go back in time with the machine, also to other pages and another baseline", () => {
  const machine = small.smallHypervisor();
  const { status, save, restore, record, recall } = attach(
    machine,
    `on vmrun: count(c in changes if within(c.range, hpa(${FREE}, 64K))) == cpu.rbx`,
  );
  turn(machine, () => machine.memory.write(FREE, 8, 1n));
  const [past, seen] = [machine.snapshot(), save()];
  const plain = record(seen);
  for (const again of [seen, seen, recall(structuredClone(plain))]) {
    machine.memory.write(FREE, 8, 2n);
    machine.state.rbx = 1n;
    turn(machine, () => machine.memory.write(FREE + 0x3000, 8, 7n));
    expect(status()).toBe("holds");
    turn(machine, () => machine.memory.write(FREE + 0x4000, 8, 7n));
    machine.restore(past);
    restore(again);
    machine.memory.write(FREE + 0x2000, 8, 1n);
    machine.memory.write(FREE + 0x3000, 8, 1n);
    machine.state.rbx = 3n;
    turn(machine, () => {});
    expect(status()).toBe("holds");
    machine.restore(past);
    restore(again);
  }
});

test("nothing is kept where no invariant asks, and a call's RAM is unknown to who came later", () => {
  const machine = small.smallHypervisor();
  machine.memory.write(FREE, 8, 1n);
  const isClean = () => (machine.memory.reasons(FREE) & PageReason.clean) !== 0;
  expect(isClean()).toBe(false);
  const without = attach(machine, "on vmrun: vmcb.GUEST_ASID != 0");
  turn(machine, () => {});
  expect([isClean(), without.counters().keptPages]).toEqual([false, 0]);
  const { counters } = attach(machine, "on vmrun: length(changes) >= 0");
  turn(machine, () => machine.memory.write(FREE, 8, 2n));
  expect(counters().keptPages).toBeGreaterThan(0);
});
