/** `exception`: which of the host's are told, and with what. */
import { expect, test } from "vitest";
import { Guests, type Machine } from "../../emulator/index.ts";
import {
  attachInvariants,
  findCulprit,
  readInvariants,
  runAgain,
  type Violation,
} from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";

function run(machine: Machine, says: string): (Violation | undefined)[] {
  const text = `invariant a on exception${says};`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const violations: Violation[] = [];
  attachInvariants(machine, {
    invariants: file?.invariants ?? [],
    program: undefined,
    guests: new Guests(machine),
    onViolation: (violation) => violations.push(violation),
  });
  machine.run({ instructions: 3 * small.TURN });
  return violations;
}

/** Behind the VMRUN of a hypervisor without an IDT: mov eax, [rbx]. */
function faulting(): Machine {
  const machine = small.smallHypervisor();
  machine.memory.poke(small.CODE + 3, Uint8Array.of(0x8b, 0x03));
  machine.state.rbx = 0x7f_0000_0000n;
  return machine;
}

test("a page fault has its address and error code, and happens at its instruction", () => {
  const facts =
    "raised.vector == VECTOR_PF && raised.address == cpu.rbx && raised.error_code == 0 && cpu.rip == 0x100503";
  expect(run(faulting(), `(PF): ${facts}`)).toEqual([]);
  const [violation] = run(faulting(), `(PF): !(${facts})`);
  expect(violation).toMatchObject({ exitNumber: 1, witness: undefined });
  const search = findCulprit(runAgain(faulting(), violation as Violation), violation as Violation);
  let step = search.next();
  while (!step.done) step = search.next();
  expect(step.value).toMatchObject({ kind: "write", rip: 0x10_0503n, world: "host" });
});

test("others than those in brackets are not told, and what they do not have is unknown", () => {
  expect(run(faulting(), "(GP, UD): false")).toEqual([]);
  const undefinedOpcode = small.smallHypervisor();
  undefinedOpcode.memory.poke(small.CODE + 3, Uint8Array.of(0x0f, 0x0b));
  expect(run(undefinedOpcode, "(UD): raised.error_code == 0 && raised.address == 0")).toEqual([]);
});

test("a guest's exceptions are not the host's", () => {
  const machine = small.smallHypervisor();
  machine.memory.poke(small.GUEST_CODE, Uint8Array.of(0x0f, 0x0b));
  expect(run(machine, " from reset: false")).toEqual([]);
});
