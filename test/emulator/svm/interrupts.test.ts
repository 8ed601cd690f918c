// What is taken between two instructions, in host and guest.
import { describe, expect, test } from "vitest";
import { setFlag } from "../../../emulator/state/flags.ts";
import { INTERCEPTS, type InterceptName } from "../../../emulator/svm/intercepts.ts";
import {
  interruptPossible,
  interruptWaits,
  takePendingInterrupt,
} from "../../../emulator/svm/interrupts.ts";
import { performExit } from "../../../emulator/svm/vmexit.ts";
import { vmrun } from "../../../emulator/svm/vmrun.ts";
import { InterceptExit } from "../../../emulator/system/exceptions.ts";
import { execution, makeRig, type Rig } from "./fixture.ts";

interface Setting {
  readonly intercept?: InterceptName;
  /** IF of host and guest. */
  readonly host?: boolean;
  readonly guest?: boolean;
  readonly masking?: boolean;
  readonly shadow?: boolean;
  readonly intr?: boolean;
  readonly nmi?: boolean;
  readonly virq?: { priority: number; tpr: number; ignore?: boolean };
}

/** A real-mode guest whose vector n's handler is at 5000:n. */
function guest(s: Setting): Rig {
  const rig = makeRig();
  const { cpu, vmcb } = rig;
  for (let n = 0; n < 256; n++) cpu.physical.write(4 * n, 4, 0x5000_0000n | BigInt(n));
  if (s.intercept !== undefined) {
    vmcb.write("INTERCEPT_MISC1", (1 << INTERCEPTS[s.intercept].bit) >>> 0);
  }
  let vintr = 0x41n << 32n;
  if (s.masking) vintr |= 1n << 24n;
  if (s.virq !== undefined) {
    vintr |= (1n << 8n) | (BigInt(s.virq.priority) << 16n) | BigInt(s.virq.tpr);
    if (s.virq.ignore) vintr |= 1n << 20n;
  }
  vmcb.write("VINTR", vintr);
  vmcb.write("RFLAGS", s.guest === false ? 2n : 0x202n);
  vmcb.write("INTERRUPT_SHADOW", s.shadow ? 1n : 0n);
  setFlag(cpu.state, "IF", s.host !== false);
  vmrun(execution(cpu));
  rig.interrupt.pending = s.intr === true;
  cpu.state.nmiPending = s.nmi ? 1 : 0;
  return rig;
}

/** "exit NAME" by code, "vector n" or "nothing". */
function outcome(rig: Rig): string {
  const possible = interruptPossible(rig.cpu);
  expect(takePendingInterrupt(rig.cpu)).toBe(possible);
  if (!possible) return "nothing";
  const { state } = rig.cpu;
  if (state.guestMode === 0) return `exit 0x${rig.vmcb.read("EXITCODE").toString(16)}`;
  return `vector 0x${state.rip.toString(16)}`;
}

describe("physical interrupts in a guest", () => {
  test.each<[Setting, string]>([
    [{ intr: true }, "vector 0x30"],
    [{ intr: true, guest: false }, "nothing"],
    [{ intr: true, shadow: true }, "nothing"],
    [{ intr: true, intercept: "INTR" }, "exit 0x60"],
    [{ intr: true, intercept: "INTR", guest: false }, "nothing"],
    [{ intr: true, intercept: "INTR", shadow: true }, "exit 0x60"],
    [{ intr: true, intercept: "INTR", guest: false, masking: true }, "exit 0x60"],
    [{ intr: true, intercept: "INTR", host: false, masking: true }, "nothing"],
    [{ intr: true, guest: false, masking: true }, "vector 0x30"],
    [{ nmi: true, guest: false }, "vector 0x2"],
    [{ nmi: true, intercept: "NMI" }, "exit 0x61"],
    [{ nmi: true, intr: true, intercept: "INTR" }, "vector 0x2"],
  ])("%o", (setting, expected) => {
    expect(outcome(guest(setting))).toBe(expected);
  });

  test("an intercepted interrupt stays pending; GIF holds it off in the host", () => {
    const rig = guest({ intr: true, intercept: "INTR" });
    expect(outcome(rig)).toBe("exit 0x60");
    expect(rig.interrupt.acknowledged).toBe(0);
    expect(interruptPossible(rig.cpu)).toBe(false);
    expect(interruptWaits(rig.cpu)).toBe(true);
    rig.cpu.state.gif = 1;
    expect(interruptPossible(rig.cpu)).toBe(true);
  });

  test("an NMI blocks the next until IRET", () => {
    const rig = guest({ nmi: true });
    expect(outcome(rig)).toBe("vector 0x2");
    rig.cpu.state.nmiPending = 1;
    expect(outcome(rig)).toBe("nothing");
    rig.cpu.state.nmiBlocked = 0;
    expect(outcome(rig)).toBe("vector 0x2");
  });

  test("HLT ends", () => {
    for (const intercept of ["INTR", undefined] as const) {
      const rig = guest({ intr: true, ...(intercept === undefined ? {} : { intercept }) });
      rig.cpu.state.halted = 1;
      takePendingInterrupt(rig.cpu);
      expect(rig.cpu.state.halted).toBe(0);
    }
  });
});

describe("virtual interrupts", () => {
  test.each<[Setting, string]>([
    [{ virq: { priority: 4, tpr: 3 } }, "vector 0x41"],
    [{ virq: { priority: 4, tpr: 4 } }, "nothing"],
    [{ virq: { priority: 4, tpr: 15, ignore: true } }, "vector 0x41"],
    [{ virq: { priority: 4, tpr: 3 }, guest: false }, "nothing"],
    [{ virq: { priority: 4, tpr: 3 }, host: false, masking: true }, "vector 0x41"],
    [{ virq: { priority: 4, tpr: 3 }, shadow: true }, "nothing"],
    [{ virq: { priority: 4, tpr: 3 }, intercept: "VINTR" }, "exit 0x64"],
    [{ virq: { priority: 4, tpr: 4 }, intercept: "VINTR" }, "nothing"],
    [{ virq: { priority: 15, tpr: 0 }, intr: true }, "vector 0x30"],
  ])("%o", (setting, expected) => {
    expect(outcome(guest(setting))).toBe(expected);
  });

  test("V_IRQ is cleared by delivery and kept by VINTR", () => {
    const taken = guest({ virq: { priority: 4, tpr: 3 } });
    takePendingInterrupt(taken.cpu);
    expect(taken.cpu.state.virtualIrq).toBe(0);
    const kept = guest({ virq: { priority: 4, tpr: 3 }, intercept: "VINTR" });
    takePendingInterrupt(kept.cpu);
    expect(kept.vmcb.read("VINTR") & 0x1ffn).toBe(0x103n);
  });
});

test("an instruction intercepted within a shadow leaves the shadow on", () => {
  for (const running of [1, 2]) {
    const rig = guest({ shadow: true });
    rig.cpu.state.interruptShadow = running;
    performExit(rig.cpu, new InterceptExit(0x78), { nextRip: 0x11n });
    expect(rig.vmcb.read("INTERRUPT_SHADOW")).toBe(1n);
    expect(rig.cpu.state.interruptShadow).toBe(0);
  }
});
