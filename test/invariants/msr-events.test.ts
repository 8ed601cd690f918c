/** `msr_write`: an MSR as a WRMSR found it and left it. */
import { expect, test } from "vitest";
import { readInvariants } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm } from "./svm.ts";

/** What an invariant at writes of an MSR comes to, where the host executes one WRMSR. */
function judged(body: string, index: number, value: bigint) {
  const text = `invariant kept on msr_write from reset: ${body};`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const machine = small.smallHypervisor();
  const { states, violations } = attachSvm(machine, { invariants: file?.invariants ?? [] });
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
