// RFLAGS in its lazy parts: round trips, and every condition code by its definition.
import { describe, expect, test } from "vitest";
import { CONDITIONS } from "../../../emulator/instructions/context.ts";
import { createCpuState } from "../../../emulator/state/cpu-state.ts";
import {
  Flag,
  getFlag,
  getIopl,
  getRflags,
  lazyFlags,
  STATUS_FLAGS,
  setFlag,
  setRflags,
  statusFlags,
} from "../../../emulator/state/flags.ts";
import { Random } from "../../harness/random.ts";
import { Rig } from "../machine/rig.ts";

const SEED = 31;
const STATUS_BITS = [0, 2, 4, 6, 7, 11];

/** All 64 values of the six status flags. */
const ALL = Array.from({ length: 64 }, (_, n) =>
  STATUS_BITS.reduce((word, bit, i) => word | (BigInt((n >> i) & 1) << BigInt(bit)), 0n),
);

const state = createCpuState(new WebAssembly.Memory({ initial: 1 }), 0);

test("every value of the status flags comes back from its lazy words", () => {
  for (const flags of ALL) {
    const { result, carries } = lazyFlags(flags);
    expect(statusFlags(result, carries)).toBe(flags);
  }
});

test(`every RFLAGS comes back, with reserved bits forced; seed ${SEED}`, () => {
  const random = new Random(SEED);
  for (let i = 0; i < 20_000; i++) {
    const value = random.u64();
    setRflags(state, value);
    const expected = (value & 0x3f7fd5n) | 2n;
    expect(getRflags(state)).toBe(expected);
    expect(getIopl(state)).toBe(Number((expected >> 12n) & 3n));
  }
});

test("one flag at a time", () => {
  for (const flags of ALL) {
    for (const name of Object.keys(Flag) as (keyof typeof Flag)[]) {
      for (const on of [true, false]) {
        setRflags(state, flags);
        setFlag(state, name, on);
        expect(getFlag(state, name)).toBe(on);
        const mask = 1n << BigInt(Flag[name]);
        expect(getRflags(state) & ~mask).toBe((flags | 2n) & ~mask);
      }
    }
  }
});

/** APM volume 1, section 3.1.4 and volume 3, the page of Jcc. */
function holds(code: (typeof CONDITIONS)[number], flags: bigint): boolean {
  const [cf, pf, , zf, sf, of] = STATUS_BITS.map((bit) => ((flags >> BigInt(bit)) & 1n) === 1n);
  const even = {
    O: of,
    B: cf,
    Z: zf,
    BE: cf || zf,
    S: sf,
    P: pf,
    L: sf !== of,
    LE: zf || sf !== of,
  };
  const negated = code.startsWith("N");
  const base = even[(negated ? code.slice(1) : code) as keyof typeof even] ?? false;
  return base !== negated;
}

describe.each(["compiled", "evaluated"] as const)("instructions, %s", (tier) => {
  test("SETcc is its condition for every value of the flags", () => {
    const rig = new Rig("long", tier);
    for (const [i, code] of CONDITIONS.entries()) {
      rig.code(`0f ${(0x90 + i).toString(16)} c0`);
      for (const flags of ALL) {
        setRflags(rig.state, flags);
        Object.assign(rig.state, { rax: 0x55n, rip: 0x6000n });
        rig.run(1);
        expect(rig.state.rax, `${code} of ${flags.toString(16)}`).toBe(
          holds(code, flags) ? 1n : 0n,
        );
      }
    }
  });

  test("PUSHF, POPF, LAHF, SAHF, CMC, STC and CLC keep and change what they should", () => {
    const rig = new Rig("long", tier);
    const left = (code: string, flags: bigint, rax = 0n): bigint => {
      rig.code(code);
      setRflags(rig.state, flags);
      Object.assign(rig.state, { rax, rip: 0x6000n, rsp: 0x8000n });
      rig.run(1);
      return getRflags(rig.state) & STATUS_FLAGS;
    };
    for (const flags of ALL) {
      expect(left("f5", flags)).toBe(flags ^ 1n);
      expect(left("f9", flags)).toBe(flags | 1n);
      expect(left("f8", flags)).toBe(flags & ~1n);
      left("9c", flags);
      expect(rig.read(0x7ff8, 8) & STATUS_FLAGS).toBe(flags);
      left("9f", flags);
      expect((rig.state.rax >> 8n) & 0xffn).toBe((flags & 0xd5n) | 2n);
      expect(left("9e", flags, 0x2a00n)).toBe(flags & 0x800n);
      expect(left("9e", flags, 0xd500n)).toBe((flags & 0x800n) | 0xd5n);
      rig.write(0x8000, 8, flags);
      expect(left("9d", 0n)).toBe(flags);
    }
  });
});
