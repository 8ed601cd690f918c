// Breakpoints of the CPU's own debug registers (APM volume 2, section 13.1).
import { describe, expect, test } from "vitest";
import type { Tier } from "../../../emulator/engine.ts";
import { CR4 } from "../../../emulator/system/mode.ts";
import { GUEST_CODE, GuestRig } from "./guest-rig.ts";
import { CODE, IDT, Rig } from "./rig.ts";

const TIERS = ["compiled", "evaluated"] as const;
const DATA = 0x2_0000n;
const HANDLER = 0x5000;
const TF = 0x100n;
const RF = 0x1_0000n;
const BREAKPOINT_BITS = 0xfn;
const STEP_BIT = 0x4000n;

const KIND = { instruction: 0, write: 1, port: 2, readOrWrite: 3 } as const;
const LENGTH = { 1: 0, 2: 1, 4: 3, 8: 2 } as const;

interface Breakpoint {
  readonly kind: keyof typeof KIND;
  readonly at: bigint;
  readonly length?: keyof typeof LENGTH;
  readonly global?: true;
}

/** DR7 for breakpoints in DR0 and up. */
function dr7Of(breakpoints: readonly Breakpoint[]): bigint {
  return breakpoints.reduce((bits, { kind, length = 1, global }, n) => {
    const control = KIND[kind] | (LENGTH[length] << 2);
    return bits | (BigInt(control) << BigInt(16 + n * 4)) | ((global ? 2n : 1n) << BigInt(n * 2));
  }, 0x400n);
}

function set(rig: Rig, ...breakpoints: readonly Breakpoint[]): void {
  breakpoints.forEach(({ at }, n) => {
    rig.state[`dr${n as 0}`] = at;
  });
  rig.state.dr7 = dr7Of(breakpoints);
  rig.machine.cpu.deriveMode();
}

/** Each #DB as "offset of rip in the code: what DR6 says". */
function log(rig: Rig): string[] {
  const seen: string[] = [];
  rig.stopsAtException = false;
  rig.machine.observe({
    name: "log",
    on: {
      exception: ({ name }) => {
        const { rip, dr6 } = rig.state;
        const step = (dr6 & STEP_BIT) === 0n ? "" : " step";
        const bits = (dr6 & BREAKPOINT_BITS).toString(2);
        seen.push(name === "DB" ? `${Number(rip) - CODE}: ${bits}${step}` : `${name}`);
        return undefined;
      },
    },
  });
  return seen;
}

/** A machine whose #DB handler sets RF for the return, and clears DR6 in between. */
function prepare(code: string, tier: Tier, rig = new Rig("long", tier)): Rig {
  const gate = BigInt(HANDLER) | (8n << 16n) | (0xee00n << 32n);
  rig.write(IDT + 16, 8, gate);
  // push rax; xor eax, eax; mov dr6, rax; pop rax; or byte [rsp + 18], 1; iretq
  rig.code("50 31 c0 0f 23 f0 58 80 4c 24 12 01 48 cf", HANDLER);
  rig.code(code);
  rig.state.rdi = DATA;
  return rig;
}

describe.each(TIERS)("instruction breakpoints, %s", (tier) => {
  test("a fault before the instruction, each time round; RF lets it run once", () => {
    // inc ebx; inc ecx; jmp back
    const rig = prepare("ff c3 ff c1 eb fa", tier);
    const seen = log(rig);
    set(rig, { kind: "instruction", at: BigInt(CODE + 2) });
    rig.run(1);
    expect([seen, rig.state.rbx, rig.state.rcx]).toEqual([[], 1n, 0n]);
    // The faulting instruction does not retire; the handler has six.
    rig.run(6);
    expect(seen).toEqual(["2: 1"]);
    rig.run(1);
    expect(rig.state.rcx).toBe(1n);
    rig.run(1 + 1 + 6 + 1);
    expect(seen).toEqual(["2: 1", "2: 1"]);
    expect(rig.state).toMatchObject({ rbx: 2n, rcx: 2n });
  });

  test("the pushed image has RF clear, unlike that of other faults", () => {
    const rig = prepare("90", tier);
    set(rig, { kind: "instruction", at: BigInt(CODE) });
    rig.run(1);
    expect(rig.lastException).toBe("DB");
    rig.stopsAtException = false;
    rig.run(1);
    expect(rig.read(Number(rig.state.rsp) + 8 + 16, 8) & RF).toBe(0n);
  });

  test("not at a byte within an instruction, not by other addresses of the same memory", () => {
    const rig = prepare("b8 01 00 00 00 90 f4", tier);
    const seen = log(rig);
    set(rig, { kind: "instruction", at: BigInt(CODE + 1) });
    rig.run(3);
    rig.state.rip = rig.map(1, CODE & ~0xfff) + BigInt(CODE % 0x1000);
    set(rig, { kind: "instruction", at: BigInt(CODE + 5) });
    rig.state.halted = 0;
    rig.run(3);
    expect(seen).toEqual([]);
  });

  test("each of the four, by local or global enable, and several at once", () => {
    const rig = prepare("90 90 90 90 f4", tier);
    const seen = log(rig);
    const at = (offset: number): Breakpoint => ({
      kind: "instruction",
      at: BigInt(CODE + offset),
    });
    set(rig, at(3), { ...at(1), global: true }, at(3), at(0));
    rig.run(4 + 3 * 6);
    expect(seen).toEqual(["0: 1000", "1: 10", "3: 101"]);
  });

  test("before a page fault of the fetch, which comes after it", () => {
    const rig = prepare("ff e0", tier);
    const seen = log(rig);
    const target = rig.map(1, 0x3_0000);
    rig.unmap(1);
    rig.state.rax = target;
    set(rig, { kind: "instruction", at: target });
    rig.run(1);
    rig.run(6 + 1);
    expect(seen[0]).toMatch(/: 1$/);
    expect(seen[1]).toBe("PF");
    expect(rig.state.cr2).toBe(target);
  });

  test("a trap due comes first, and both have their own #DB", () => {
    const rig = prepare("90 90 90", tier);
    const seen = log(rig);
    set(rig, { kind: "instruction", at: BigInt(CODE + 1) });
    rig.setFlags(TF);
    rig.run(1 + 1);
    expect(seen).toEqual(["1: 0 step"]);
  });

  test("an observer's breakpoint at the same instruction stops before the #DB", () => {
    const rig = prepare("90 90 90", tier);
    const seen = log(rig);
    set(rig, { kind: "instruction", at: BigInt(CODE + 1) });
    rig.machine.cpu.engine.addBreakpoint(BigInt(CODE + 1));
    rig.machine.observe({ name: "breakpoint", on: { execute: () => "stop" } });
    expect(rig.run(5).reason).toBe("observer");
    expect(seen).toEqual([]);
    rig.machine.run({ instructions: 1, passBreakpoint: true });
    expect(seen).toEqual(["1: 1"]);
    // The end of the observer's interest leaves the CPU's.
    rig.machine.cpu.engine.removeBreakpoint(BigInt(CODE + 1));
    rig.run(6);
    rig.state.rip = BigInt(CODE);
    rig.run(3);
    expect(seen).toEqual(["1: 1", "1: 1"]);
  });

  test("MOV to DR7 arms code that is decoded already, and disarms it", () => {
    // mov dr7, rax; nop; jmp back
    const rig = prepare("0f 23 f8 90 eb fa", tier);
    const seen = log(rig);
    rig.state.dr0 = BigInt(CODE + 3);
    rig.run(3);
    rig.state.rax = 0x401n;
    rig.run(2 + 6);
    expect(seen).toEqual(["3: 1"]);
    rig.state.rax = 0x400n;
    rig.run(8);
    expect(seen).toEqual(["3: 1"]);
  });
});

type Data = readonly [code: string, breakpoint: Breakpoint, hit: boolean];
const DATA_CASES: Record<string, Data> = {
  "a byte written": ["c6 07 01", { kind: "write", at: DATA }, true],
  "a byte read": ["8a 07", { kind: "write", at: DATA }, false],
  "a byte read, reads wanted": ["8a 07", { kind: "readOrWrite", at: DATA }, true],
  "a byte written, reads wanted": ["c6 07 01", { kind: "readOrWrite", at: DATA }, true],
  "read-modify-write": ["80 07 01", { kind: "write", at: DATA }, true],
  "the byte below": ["c6 47 ff 01", { kind: "write", at: DATA, length: 4 }, false],
  "the last byte of four": ["c6 47 03 01", { kind: "write", at: DATA, length: 4 }, true],
  "the byte above four": ["c6 47 04 01", { kind: "write", at: DATA, length: 4 }, false],
  "the last byte of eight": ["c6 47 07 01", { kind: "write", at: DATA, length: 8 }, true],
  "the byte above eight": ["c6 47 08 01", { kind: "write", at: DATA, length: 8 }, false],
  "low bits of the address do not count": [
    "c6 07 01",
    { kind: "write", at: DATA + 3n, length: 4 },
    true,
  ],
  "a wide access over it": ["48 89 47 fd", { kind: "write", at: DATA }, true],
  "an access across pages": ["48 89 87 fc 0f 00 00", { kind: "write", at: DATA + 0x1003n }, true],
  "LEA is no access": ["8d 07", { kind: "readOrWrite", at: DATA }, false],
  PUSH: ["50", { kind: "write", at: 0x7ff8n, length: 8 }, true],
};

describe.each(TIERS)("data breakpoints, %s", (tier) => {
  test.each(Object.entries(DATA_CASES))("%s", (_, [code, breakpoint, hit]) => {
    const rig = prepare(`${code} 90`, tier);
    // Before it is set, the page is in the TLB and its fast tags are there.
    rig.run(1);
    rig.state.rip = BigInt(CODE);
    rig.state.rsp = 0x8000n;
    const seen = log(rig);
    set(rig, breakpoint);
    rig.run(2);
    const after = code.split(" ").length;
    expect(seen).toEqual(hit ? [`${after}: 1`] : []);
  });

  test("fetching is no data access", () => {
    const rig = prepare("90 90", tier);
    const seen = log(rig);
    set(rig, { kind: "readOrWrite", at: BigInt(CODE), length: 8 });
    rig.run(2);
    expect(seen).toEqual([]);
  });

  test("a REP string is trapped behind the iteration", () => {
    const rig = prepare("f3 aa 90", tier);
    const seen = log(rig);
    rig.state.rcx = 4n;
    set(rig, { kind: "write", at: DATA + 1n });
    rig.run(2 + 6);
    expect(seen).toEqual(["0: 1"]);
    expect(rig.state.rcx).toBe(2n);
  });

  test("with the single step, one #DB says both", () => {
    const rig = prepare("c6 07 01 90", tier);
    const seen = log(rig);
    set(rig, { kind: "write", at: DATA }, { kind: "readOrWrite", at: DATA + 1n });
    rig.setFlags(TF);
    rig.run(2);
    expect(seen).toEqual(["3: 1 step"]);
  });

  test("an access that meets several says all; the next instruction's own breakpoint is not among them", () => {
    const rig = prepare("48 89 07 90 90", tier);
    const seen = log(rig);
    const next: Breakpoint = { kind: "instruction", at: BigInt(CODE + 3) };
    set(rig, { kind: "write", at: DATA }, next, { kind: "write", at: DATA + 4n, length: 4 });
    rig.run(1 + 6 + 1);
    expect(seen).toEqual(["3: 101"]);
  });

  test("an instruction that faults after its access is not trapped for it", () => {
    // push [rdi] with a stack that is not there
    const rig = prepare("ff 37", tier);
    const seen = log(rig);
    rig.state.rsp = rig.map(1, 0x3_0000) + 8n;
    rig.unmap(1);
    rig.toUser();
    set(rig, { kind: "readOrWrite", at: DATA });
    rig.run(5);
    expect(seen).toEqual(["PF"]);
    expect(rig.state.breakpointsMet).toBe(0);
  });

  test("MOV SS holds the trap of its operand off for an instruction", () => {
    const rig = prepare("8e 17 90 90", tier);
    const seen = log(rig);
    rig.write(Number(DATA), 2, 0x10n);
    set(rig, { kind: "readOrWrite", at: DATA });
    rig.run(1);
    rig.run(1);
    expect(seen).toEqual([]);
    rig.run(1);
    expect(seen).toEqual(["3: 1"]);
  });

  test("between the access and its trap: the end of a budget, and a snapshot", () => {
    const rig = prepare("c6 07 01 90 90", tier);
    const seen = log(rig);
    set(rig, { kind: "write", at: DATA });
    rig.run(1);
    expect([seen, rig.state.breakpointsMet]).toEqual([[], 1]);
    const snapshot = rig.machine.snapshot();
    rig.state.dr7 = 0x400n;
    rig.state.breakpointsMet = 0;
    rig.machine.cpu.deriveMode();
    rig.run(2);
    expect(seen).toEqual([]);
    rig.machine.restore(snapshot);
    rig.run(1);
    expect(seen).toEqual(["3: 1"]);
    // Armed again by the snapshot too.
    rig.state.rip = BigInt(CODE);
    rig.run(2);
    expect(seen).toHaveLength(2);
  });

  test("an observer that watches the page, and stops to, changes nothing", () => {
    const hashes = [false, true].map((watched) => {
      const rig = prepare("c6 07 01 90 90 90 90 90 90 90", tier);
      const seen = log(rig);
      set(rig, { kind: "write", at: DATA });
      const stop = watched ? rig.machine.cpu.mmu.watchLinear(DATA) : () => {};
      if (watched) rig.machine.observe({ name: "stop", on: { linearAccess: () => "stop" } });
      while (rig.machine.icount < 4) rig.run(4 - rig.machine.icount);
      stop();
      rig.state.rip = BigInt(CODE);
      while (rig.machine.icount < 8) rig.run(8 - rig.machine.icount);
      expect(seen).toEqual(["3: 1", "3: 1"]);
      return rig.machine.stateHash();
    });
    expect(hashes[1]).toBe(hashes[0]);
  });
});

describe.each(TIERS)("I/O breakpoints, %s", (tier) => {
  const accessing = (code: string, extensions: boolean, port: Breakpoint): string[] => {
    const rig = prepare(`${code} 90 90`, tier);
    if (extensions) rig.state.cr4 |= CR4.DE;
    Object.assign(rig.state, { rdx: 0x81n, rsi: DATA, rcx: 2n });
    const seen = log(rig);
    set(rig, port);
    rig.run(2);
    return seen;
  };
  const at80: Breakpoint = { kind: "port", at: 0x80n };

  test("IN and OUT of the port, a trap after the access", () => {
    expect(accessing("e6 80", true, at80)).toEqual(["2: 1"]);
    expect(accessing("e4 80", true, at80)).toEqual(["2: 1"]);
    expect(accessing("e4 81", true, at80)).toEqual([]);
  });

  test("ports that an access or the breakpoint spans; OUTS", () => {
    expect(accessing("e7 7e", true, at80)).toEqual(["2: 1"]);
    expect(accessing("e6 83", true, { ...at80, length: 4 })).toEqual(["2: 1"]);
    expect(accessing("e6 84", true, { ...at80, length: 4 })).toEqual([]);
    expect(accessing("f3 6e", true, { ...at80, at: 0x81n })).toEqual(["0: 1"]);
  });

  test("without CR4.DE there are none; memory of that address is none", () => {
    expect(accessing("e6 80", false, at80)).toEqual([]);
    expect(accessing("8a 06", true, { kind: "port", at: DATA })).toEqual([]);
  });
});

describe.each(TIERS)("debug registers and guests, %s", (tier) => {
  const guest = (code: string): { rig: GuestRig; seen: string[] } => {
    const rig = new GuestRig(tier);
    prepare("0f 01 d8 f4", tier, rig);
    rig.guestCode(code);
    const seen = log(rig);
    return { rig, seen };
  };

  test("VMRUN loads the guest's DR7, DR0 to DR3 stay; #VMEXIT disables all", () => {
    const { rig, seen } = guest("c6 07 01 0f 01 d9");
    rig.vmcb.write("INTERCEPT_MISC2", 3);
    rig.state.dr0 = DATA;
    rig.vmcb.write("DR7", dr7Of([{ kind: "write", at: DATA }]));
    rig.state.rdi = DATA;
    rig.run(1);
    rig.run(1 + 6 + 1);
    expect(seen).toEqual([`${GUEST_CODE - CODE + 3}: 1`]);
    expect(rig.inGuest).toBe(false);
    expect(rig.state.dr7).toBe(0x400n);
    rig.code("c6 07 01 90", CODE + 3);
    rig.state.halted = 0;
    rig.state.rip = BigInt(CODE + 3);
    rig.run(2);
    expect(seen).toHaveLength(1);
  });

  test("the host's breakpoints do not follow into the guest", () => {
    const { rig, seen } = guest("c6 07 01 90 90");
    set(rig, { kind: "write", at: DATA });
    rig.run(4);
    expect(rig.inGuest).toBe(true);
    expect(seen).toEqual([]);
  });

  test.each([
    ["instruction", GUEST_CODE],
    ["write", GUEST_CODE + 3],
  ] as const)("an intercepted #DB of a breakpoint, %s: DR6 says which", (kind, rip) => {
    const { rig, seen } = guest("c6 07 01 90");
    rig.vmcb.write("INTERCEPT_EXCEPTIONS", 1 << 1);
    const at = kind === "write" ? DATA : BigInt(GUEST_CODE);
    rig.state.dr1 = at;
    rig.vmcb.write(
      "DR7",
      dr7Of([
        { kind, at },
        { kind, at },
      ]) & ~1n,
    );
    rig.run(3);
    expect(rig.inGuest).toBe(false);
    expect(rig.vmcb.read("EXITCODE")).toBe(0x41n);
    expect(rig.vmcb.read("RIP")).toBe(BigInt(rip));
    expect(rig.vmcb.read("DR6") & BREAKPOINT_BITS).toBe(2n);
    expect(seen).toEqual([]);
  });
});
