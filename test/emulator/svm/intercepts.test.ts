// Which accesses a guest's VMCB and permission maps intercept.
import { describe, expect, test } from "vitest";
import type { Execution } from "../../../emulator/execution.ts";
import { interceptCrDr } from "../../../emulator/svm/cr-intercept.ts";
import { interceptException } from "../../../emulator/svm/exception-intercept.ts";
import {
  interceptExecution,
  interceptInstruction,
} from "../../../emulator/svm/instruction-intercept.ts";
import { INTERCEPTS, type InterceptName } from "../../../emulator/svm/intercepts.ts";
import { interceptIo } from "../../../emulator/svm/io-intercept.ts";
import { interceptMsr, msrPermission } from "../../../emulator/svm/msr-intercept.ts";
import { InterceptExit } from "../../../emulator/system/exceptions.ts";
import type { IoAccess } from "../../../emulator/system/io-access.ts";
import { CR0 } from "../../../emulator/system/mode.ts";
import { execution, IOPM, MSRPM, makeRig, type Rig } from "./fixture.ts";

/** A vCPU in a guest that intercepts `names`. */
function guest(...names: InterceptName[]): Rig {
  const rig = makeRig();
  const { state } = rig.cpu;
  state.guestMode = 1;
  state.iopmBase = BigInt(IOPM);
  state.msrpmBase = BigInt(MSRPM);
  for (const name of names) state[INTERCEPTS[name].word] |= 1 << INTERCEPTS[name].bit;
  return rig;
}

/** The exit that `run` throws, or undefined. */
function exitOf(run: () => void): InterceptExit | undefined {
  try {
    run();
  } catch (caught) {
    if (caught instanceof InterceptExit) return caught;
    throw caught;
  }
  return undefined;
}

const OUT: IoAccess = {
  port: 0x3f8,
  size: 1,
  in: false,
  string: false,
  rep: false,
  addressSize: 8,
  segment: "ds",
};

describe("I/O permission map", () => {
  const setPort = (rig: Rig, port: number): void => {
    const at = IOPM + (port >> 3);
    rig.cpu.physical.write(at, 1, rig.cpu.physical.read(at, 1) | (1n << BigInt(port & 7)));
  };

  test.each([
    // [bit set, port, size, intercepted]
    [0x3f8, 0x3f8, 1, true],
    [0x3f8, 0x3f9, 1, false],
    [0x3f8, 0x3f7, 1, false],
    [0x3f8, 0x3f7, 2, true],
    [0x3f8, 0x3f6, 2, false],
    [0x3f8, 0x3f5, 4, true],
    [0x3f8, 0x3f4, 4, false],
    [0x3fb, 0x3f8, 4, true],
    [0x3fc, 0x3f8, 4, false],
    [0xffff, 0xffff, 1, true],
    // One past the last port: the first bit of the third page.
    [0x1_0000, 0xffff, 1, false],
    [0x1_0000, 0xffff, 2, true],
    [0x1_0002, 0xffff, 4, true],
    [0x1_0003, 0xffff, 4, false],
  ] as const)("bit %d, port %d, %d bytes: %s", (bit, port, size, expected) => {
    const rig = guest("IOIO");
    setPort(rig, bit);
    const exit = exitOf(() => interceptIo(execution(rig.cpu), { ...OUT, port, size }));
    expect(exit !== undefined).toBe(expected);
  });

  test.each([
    [OUT, 0x3f8_0210n],
    [{ ...OUT, port: 0x60, in: true, addressSize: 4 }, 0x60_0111n],
    [
      { ...OUT, port: 0x1f0, size: 2, in: true, string: true, rep: true, segment: "es" },
      0x1f0_022dn,
    ],
    [{ ...OUT, port: 0x1f0, size: 4, string: true, addressSize: 2, segment: "fs" }, 0x1f0_10c4n],
  ] as const)("EXITINFO1 of %o", (access, info1) => {
    const rig = guest("IOIO");
    setPort(rig, access.port);
    const exit = exitOf(() => interceptIo(execution(rig.cpu, 2), access));
    expect(exit).toMatchObject({ exitCode: 0x7b, info1, info2: 0x4002n });
  });

  test("the map counts only where IOIO is intercepted, in a guest", () => {
    const rig = guest();
    setPort(rig, 0x3f8);
    expect(exitOf(() => interceptIo(execution(rig.cpu), OUT))).toBeUndefined();
    const host = guest("IOIO");
    setPort(host, 0x3f8);
    host.cpu.state.guestMode = 0;
    expect(exitOf(() => interceptIo(execution(host.cpu), OUT))).toBeUndefined();
  });
});

describe("MSR permission map", () => {
  test.each([
    [0x0000_0000, false, 0x0000, 0],
    [0x0000_1fff, true, 0x07ff, 7],
    [0xc000_0080, false, 0x0820, 0],
    [0xc000_0080, true, 0x0820, 1],
    [0xc001_0114, true, 0x1045, 1],
    [0xc001_0117, false, 0x1045, 6],
    [0xc001_0117, true, 0x1045, 7],
  ])("MSR %d write %s is byte %d bit %d", (msr, write, offset, bit) => {
    expect(msrPermission(msr, write)).toEqual({ offset, bit });
  });

  test.each([0x2000, 0xbfff_ffff, 0xc000_2000, 0xc000_ffff, 0xc001_2000, 0xffff_ffff])(
    "MSR %d is outside the map: always intercepted",
    (msr) => {
      expect(msrPermission(msr, false)).toBeUndefined();
      const rig = guest("MSR");
      expect(exitOf(() => interceptMsr(execution(rig.cpu), msr, false))).toBeDefined();
    },
  );

  test("read and write have a bit each", () => {
    const rig = guest("MSR");
    rig.cpu.physical.write(MSRPM + 0x820, 1, 0b10n);
    const x = execution(rig.cpu);
    expect(exitOf(() => interceptMsr(x, 0xc000_0080, false))).toBeUndefined();
    expect(exitOf(() => interceptMsr(x, 0xc000_0080, true))).toMatchObject({
      exitCode: 0x7c,
      info1: 1n,
    });
  });

  test("without the MSR intercept the map is not looked at", () => {
    const rig = guest();
    expect(exitOf(() => interceptMsr(execution(rig.cpu), 0x2000, true))).toBeUndefined();
  });
});

describe("control and debug registers", () => {
  test("read and write bits by number, with MOV's register", () => {
    const rig = guest();
    rig.cpu.state.interceptCr = (1 << 3) | (1 << 20);
    rig.cpu.state.interceptDr = 1 << 7;
    const x = execution(rig.cpu);
    const exits = [
      exitOf(() => interceptCrDr(x, "CR", 3, false, 5)),
      exitOf(() => interceptCrDr(x, "CR", 3, true, 5)),
      exitOf(() => interceptCrDr(x, "CR", 4, true, 0)),
      exitOf(() => interceptCrDr(x, "DR", 7, false, 2)),
    ];
    expect(exits.map((e) => e?.exitCode)).toEqual([0x03, undefined, 0x14, 0x27]);
    expect(exits[0]?.info1).toBe((1n << 63n) | 5n);
    expect(exits[3]?.info1).toBe(2n);
  });

  test.each([
    ["TS only", CR0.TS, undefined],
    ["MP only", CR0.MP, undefined],
    ["WP", CR0.WP, 0x65],
    ["WP and TS", CR0.WP | CR0.TS, 0x65],
  ])("CR0_SEL_WRITE: %s", (_name, change, expected) => {
    const rig = guest("CR0_SEL_WRITE");
    rig.cpu.state.rbx = rig.cpu.state.cr0 ^ change;
    const exit = exitOf(() => interceptCrDr(execution(rig.cpu), "CR", 0, true, 3));
    expect(exit?.exitCode).toBe(expected);
  });

  test("CLTS and LMSW have no general register", () => {
    const rig = guest();
    rig.cpu.state.interceptCr = 1 << 16;
    const { cr0 } = rig.cpu.state;
    const exit = exitOf(() =>
      interceptCrDr(execution(rig.cpu), "CR", 0, true, undefined, cr0 & ~CR0.TS),
    );
    expect(exit).toMatchObject({ exitCode: 0x10, info1: 0n });
  });
});

describe("instructions and exceptions", () => {
  test.each(Object.keys(INTERCEPTS) as InterceptName[])("%s exits with its bit alone", (name) => {
    const exit = exitOf(() => interceptInstruction(guest(name).cpu, name));
    expect(exit?.exitCode).toBe(INTERCEPTS[name].exitCode);
    const others = (Object.keys(INTERCEPTS) as InterceptName[]).filter((n) => n !== name);
    expect(exitOf(() => interceptInstruction(guest(...others).cpu, name))).toBeUndefined();
  });

  test("decode assists of INT n and INVLPG", () => {
    const rig = guest("INTn", "INVLPG");
    const x: Execution = Object.assign(execution(rig.cpu), {
      read: () => 0x80n,
      linearOf: () => 0xffff_8000_0000_1000n,
    });
    expect(exitOf(() => interceptExecution(x, "INTn"))?.info1).toBe(0x80n);
    expect(exitOf(() => interceptExecution(x, "INVLPG"))?.info1).toBe(0xffff_8000_0000_1000n);
  });

  test.each([
    [0, [true, true]],
    [1, [true, true]],
    [2, [false, true]],
    [3, [false, false, true]],
  ])("a pause filter count of %d", (count, expected) => {
    const rig = guest("PAUSE");
    rig.cpu.state.pauseFilterCount = count;
    const exits = expected.map(
      () => exitOf(() => interceptInstruction(rig.cpu, "PAUSE")) !== undefined,
    );
    expect(exits).toEqual(expected);
  });

  test.each([
    [14, 6, 0x1234n, { exitCode: 0x4e, info1: 6n, info2: 0x1234n }],
    [13, 0x18, 0n, { exitCode: 0x4d, info1: 0x18n, info2: 0n }],
    [3, undefined, 0n, { exitCode: 0x43, info1: 0n, info2: 0n }],
  ] as const)("exception %d", (vector, errorCode, address, expected) => {
    const { state } = guest().cpu;
    state.interceptExceptions = 1 << vector;
    expect(exitOf(() => interceptException(state, vector, errorCode, address))).toMatchObject(
      expected,
    );
    state.interceptExceptions = ~(1 << vector);
    expect(exitOf(() => interceptException(state, vector, errorCode, address))).toBeUndefined();
  });

  test("the exception intercept of vector 2 has no effect", () => {
    const { state } = guest().cpu;
    state.interceptExceptions = 0xffff_ffff;
    expect(exitOf(() => interceptException(state, 2, undefined, 0n))).toBeUndefined();
  });
});
