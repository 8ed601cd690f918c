/** What an expression is worth where the machine stands, and that asking leaves everything as it was. */
import { expect, test } from "vitest";
import { Guests } from "../../emulator/index.ts";
import { attachInvariants, readExpression } from "../../invariants/index.ts";
import { soundHypervisor } from "./faults.ts";
import * as small from "./small-hypervisor.ts";
import { SVM } from "./svm.ts";

test("asking is not noticed: tables that nothing else looks at are not looked at afterwards either", () => {
  const machine = soundHypervisor();
  const attached = attachInvariants(machine, {
    invariants: SVM,
    program: undefined,
    guests: new Guests(machine),
    onViolation: () => {},
  });
  machine.run({ instructions: 2 * small.TURN });
  small.setEntry(machine, small.ELSEWHERE, BigInt(small.PDPT) | small.TABLE);
  const everything = () => [attached.save(), attached.revision, attached.counters()];
  const before = everything();
  const hash = machine.stateHash();
  const worth = (expression: string) => attached.valueOf(readExpression(expression, [], undefined));
  expect(worth(`length(npt(${small.ELSEWHERE}).tables)`)).toEqual({ value: "3" });
  expect(worth("exists m in npt(vmcb.nCR3).leaves : m.hpa == 4M")).toEqual({ value: "true" });
  expect(worth("written.before")).toEqual({ unknown: "the event is no write" });
  expect(everything()).toEqual(before);
  expect(machine.stateHash()).toBe(hash);
  attached.detach();
});
