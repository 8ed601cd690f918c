// Events across the border of the guest: single steps over VMRUN and #VMEXIT, injected events,
// breakpoints in both worlds.
import { describe, expect, test } from "vitest";
import { GUEST_CODE, GUEST_STACK, GuestRig } from "./guest-rig.ts";
import { CODE, HANDLERS } from "./rig.ts";

const TF = 0x100n;
const CPUID_INTERCEPT = 1 << 18;
const VALID = 1n << 31n;
const HAS_CODE = 1n << 11n;
const EXCEPTION = 3n << 8n;

describe.each(["compiled", "evaluated"] as const)("%s", (tier) => {
  test("TF at VMRUN: no trap in the guest; it comes in the host after #VMEXIT", () => {
    const rig = new GuestRig(tier);
    rig.guestCode("90 90 0f a2");
    rig.vmcb.write("INTERCEPT_MISC1", CPUID_INTERCEPT);
    rig.setFlags(TF);
    rig.enter(2);
    expect(rig.inGuest).toBe(true);
    expect(rig.exceptions).toEqual([]);
    rig.run(1);
    expect(rig.lastException).toBe("DB");
    expect(rig.inGuest).toBe(false);
    // The frame returns to the instruction after VMRUN.
    expect(rig.read(Number(rig.state.rsp), 8)).toBe(BigInt(CODE + 3));
    expect(rig.vmcb.read("RIP")).toBe(BigInt(GUEST_CODE + 2));
  });

  test("TF at a VMRUN that fails its checks: the trap comes behind it", () => {
    const rig = new GuestRig(tier);
    rig.vmcb.write("GUEST_ASID", 0);
    rig.setFlags(TF);
    rig.enter(1);
    expect(rig.lastException).toBe("DB");
    expect(rig.read(Number(rig.state.rsp), 8)).toBe(BigInt(CODE + 3));
  });

  test("TF in the guest: traps there, and an intercepted instruction is not trapped", () => {
    const rig = new GuestRig(tier);
    rig.stopsAtException = false;
    rig.guestCode("90 0f a2");
    rig.write(HANDLERS + 1, 2, 0xcf48n);
    rig.vmcb.write("INTERCEPT_MISC1", CPUID_INTERCEPT);
    rig.vmcb.write("RFLAGS", TF | 2n);
    rig.enter(4);
    expect(rig.exceptions.map(({ vector }) => vector)).toEqual([1]);
    expect(rig.inGuest).toBe(false);
    expect(rig.vmcb.read("RIP")).toBe(BigInt(GUEST_CODE + 1));
  });

  test.each([
    ["#GP with an error code", 13n, HAS_CODE, 0x1234n, true],
    ["#GP without", 13n, 0n, 0x1234n, false],
    ["#UD with an error code", 6n, HAS_CODE, 0x55n, true],
    ["#UD without", 6n, 0n, 0n, false],
  ])("an injected %s pushes what EVENTINJ says", (_, vector, flag, code, pushed) => {
    const rig = new GuestRig(tier);
    rig.stopsAtException = false;
    rig.guestCode("90");
    rig.vmcb.write("EVENTINJ", VALID | EXCEPTION | flag | vector | (code << 32n));
    rig.enter(0);
    expect(rig.state.rip).toBe(BigInt(HANDLERS) + vector);
    expect(rig.state.rsp).toBe(BigInt(GUEST_STACK - (pushed ? 48 : 40)));
    if (pushed) expect(rig.read(Number(rig.state.rsp), 8)).toBe(code);
  });

  test("a breakpoint at one linear address stops in both worlds, told apart", () => {
    const rig = new GuestRig(tier);
    rig.guestCode("90 90");
    rig.machine.cpu.engine.addBreakpoint(BigInt(CODE));
    rig.machine.cpu.engine.addBreakpoint(BigInt(GUEST_CODE + 1));
    const seen: [bigint, boolean][] = [];
    rig.machine.observe({
      name: "breakpoint",
      on: {
        execute: ({ linear, guest }) => {
          seen.push([linear, guest]);
          return "stop";
        },
      },
    });
    rig.state.rip = BigInt(CODE);
    expect(rig.run(10).reason).toBe("observer");
    expect(rig.inGuest).toBe(false);
    expect(rig.machine.run({ instructions: 10, passBreakpoint: true }).reason).toBe("observer");
    expect(rig.inGuest).toBe(true);
    expect(rig.state.rip).toBe(BigInt(GUEST_CODE + 1));
    expect(seen).toEqual([
      [BigInt(CODE), false],
      [BigInt(GUEST_CODE + 1), true],
    ]);
  });
});
