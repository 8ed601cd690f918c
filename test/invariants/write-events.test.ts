/** `write(RANGE)`: which writes it is about, as the range moves, and what is not an instruction's. */
import { expect, test } from "vitest";
import { Guests, type Machine } from "../../emulator/index.ts";
import { attachInvariants, readInvariants, type Violation } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";

function attach(machine: Machine, range: string, options: { continues?: unknown } = {}) {
  const text = `invariant kept on write(${range}) "Nothing writes there": false;`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const violations: Violation[] = [];
  const attached = attachInvariants(machine, {
    invariants: file?.invariants ?? [],
    program: undefined,
    guests: new Guests(machine),
    onViolation: (violation) => violations.push(violation),
    ...options,
  });
  const status = () => {
    const [{ state, reason } = { state: undefined, reason: undefined }] = attached.status();
    return reason === undefined ? state : `${state}: ${reason}`;
  };
  return { ...attached, violations, status };
}

const turn = (machine: Machine): void => {
  machine.run({ instructions: small.TURN });
};

const HSAVE = 0x10_4000;
const OTHER = 0x10_d000;
const FREE = 0x60_0000;

test("a range that moves is watched where it is, and no longer where it was", () => {
  const machine = small.smallHypervisor();
  const { violations, status } = attach(machine, "host.save_area");
  expect(status()).toBe("never checked");
  turn(machine);
  machine.state.vmHsavePa = BigInt(OTHER);
  turn(machine);
  machine.memory.write(HSAVE + 0x10, 8, 1n);
  expect([status(), violations]).toEqual(["never checked", []]);
  machine.memory.write(OTHER + 0xffc, 8, 1n);
  expect(status()).toBe("violated: false is false");
  expect(violations).toMatchObject([
    {
      message: "Nothing writes there: false is false",
      witness: { first: OTHER + 0xffc, bytes: 4 },
    },
  ]);
});

test("what VMRUN and #VMEXIT write is not meant, and a guest's own store is", () => {
  const machine = small.smallHypervisor();
  const { violations, status } = attach(
    machine,
    "join(host.save_area, join(vmcb.range, hpa(0x430000, 4K)))",
  );
  // mov [8], eax; vmmcall, with DS at 0x30000
  const store = Uint8Array.of(0x66, 0xa3, 8, 0, 0x0f, 0x01, 0xd9);
  for (let i = 0; i < 4; i++) turn(machine);
  expect(status()).toBe("never checked");
  machine.memory.poke(small.GUEST_CODE, store);
  turn(machine);
  expect(violations).toMatchObject([{ witness: { first: 0x43_0008, bytes: 4 } }]);
});

test("a guest's store into the VMCB is told within its instruction, before any exit's", () => {
  const machine = small.smallHypervisor();
  // The guest's first 2 MiB are those of the VMCB.
  small.setEntry(machine, small.PD, small.LEAF);
  const base = BigInt(small.VMCB);
  small.vmcbOf(machine).write("DS", { attributes: 0x93, limit: 0xffff, selector: 0, base });
  // mov [0x300], eax; vmmcall
  machine.memory.poke(0x2_0010, Uint8Array.of(0x66, 0xa3, 0, 3, 0x0f, 0x01, 0xd9));
  const { violations } = attach(machine, "vmcb.range");
  turn(machine);
  const witness = { first: small.VMCB + 0x300, bytes: 4 };
  expect(violations).toMatchObject([{ witness, icount: 1, exitNumber: 0 }]);
});

test("an unknown range makes it unknown until it is known", () => {
  const machine = small.smallHypervisor();
  const { status } = attach(machine, "hpa(1 / (cpu.rbx & 1), 8)");
  turn(machine);
  expect(status()).toBe(
    "unknown: the range of write(hpa((1 / (cpu.rbx & 1)), 8)) is unknown: it divides by zero",
  );
  machine.state.rbx = 1n;
  turn(machine);
  expect(status()).toBe("never checked");
  // 16 MiB of it are RAM.
  const beyond = small.smallHypervisor();
  const other = attach(beyond, "hpa(0, 1T)");
  expect(other.status()).toBe("never checked");
});

test("what is watched goes back in time with the machine, and on to others", () => {
  const machine = small.smallHypervisor();
  const { status, save, restore, detach } = attach(machine, "hpa(cpu.rbx, 16)");
  machine.state.rbx = BigInt(FREE);
  turn(machine);
  const [past, seen] = [machine.snapshot(), save()];
  machine.state.rbx = BigInt(OTHER);
  turn(machine);
  machine.restore(past);
  restore(seen);
  // In the present rbx may have changed already: it is looked at where worlds switch.
  machine.state.rbx = BigInt(OTHER);
  machine.memory.write(OTHER, 1, 1n);
  expect(status()).toBe("never checked");
  const saved = save();
  detach();
  const next = attach(machine, "hpa(cpu.rbx, 16)", { continues: saved });
  machine.memory.write(OTHER, 1, 2n);
  expect(next.status()).toBe("never checked");
  machine.memory.write(FREE + 15, 1, 1n);
  expect(next.status()).toBe("violated: false is false");
  const edited = attach(machine, "hpa(cpu.rbx, 8)", { continues: saved });
  machine.memory.write(OTHER + 4, 1, 3n);
  expect(edited.status()).toBe("violated: false is false");
});
