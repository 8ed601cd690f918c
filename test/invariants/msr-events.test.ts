/** `msr_write`: an MSR as a WRMSR found it and left it. */
import { expect, test } from "vitest";
import { exportBook } from "../../invariants/acl2/export.ts";
import { identityOf } from "../../invariants/identity.ts";
import { readInvariants } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm } from "./svm.ts";

type Invariant = ReturnType<typeof invariantOn>;

function invariantOn(event: string, body: string) {
  const text = `invariant kept on ${event} from reset: ${body};`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const [invariant] = file?.invariants ?? [];
  if (invariant === undefined) throw new Error(`${text} is not there`);
  return invariant;
}

/** What an invariant at writes of an MSR comes to, where the host executes one WRMSR. */
function judged(body: string, index: number, value: bigint, event = "msr_write") {
  const invariants = [invariantOn(event, body)];
  const machine = small.smallHypervisor();
  const { states, violations } = attachSvm(machine, { invariants });
  machine.memory.poke(small.CODE, Uint8Array.of(0x0f, 0x30));
  Object.assign(machine.state, { rcx: BigInt(index), rax: value & 0xffff_ffffn, rdx: 0n });
  machine.run({ instructions: 1 });
  return { state: states().kept, violation: violations[0] };
}

const EFER = 0xc000_0080;
const KEEPS_SVME = "bit(written.before, 12) => bit(written.after, 12)";

test("a WRMSR that clears a bit is told from one that keeps it", () => {
  expect(judged(KEEPS_SVME, EFER, 0x0d00n)).toMatchObject({
    state: "violated",
    violation: { actual: expect.stringContaining("written.after = 0xd00") },
  });
  expect(judged(KEEPS_SVME, EFER, 0x1d00n).state).toBe("holds");
  expect(judged("written.before == 0x1d00", EFER, 0x0d00n).state).toBe("holds");
});

test("what is written and what is there then are two things", () => {
  // LMA is the CPU's.
  expect(judged("written.after == 0x1d00", EFER, 0x1900n).state).toBe("holds");
});

test.each([
  ["msr_write(0xc0000080)", "violated"],
  ["msr_write(3_221_225_600)", "violated"],
  ["msr_write(0x10, 0xc0000080)", "violated"],
  ["msr_write(EFER, 0x10)", "violated"],
  ["msr_write(0xc0000081)", "never checked"],
])("%s is judged by the number: %s", (event, state) => {
  expect(judged(KEEPS_SVME, EFER, 0x0d00n, event).state).toBe(state);
});

test("a number says the same however it is written, here and in ACL2", () => {
  const [hex, decimal, other] = ["0xC000_0080", "3221225600", "0x80"].map((written) =>
    invariantOn(`msr_write(${written})`, "true"),
  ) as [Invariant, Invariant, Invariant];
  expect(identityOf(decimal, undefined)).toBe(identityOf(hex, undefined));
  expect(identityOf(other, undefined)).not.toBe(identityOf(hex, undefined));
  expect(exportBook([decimal])).toContain(":on ((|msr_write| |0xc0000080|))");
});
