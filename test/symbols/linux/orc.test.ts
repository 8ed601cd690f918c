// ORC tables in the layouts of all kernels, each kind of entry against a stack made by hand.
import { describe, expect, test } from "vitest";
import { OrcUnwinder } from "../../../symbols/linux/orc.ts";
import { type FrameState, toBytes } from "../../../symbols/location.ts";
import { REGISTERS } from "../../../symbols/registers.ts";

const IP_START = 0xffffffff_82000000n;
const TEXT = 0xffffffff_81000000n;
const STACK = 0xffffc900_00004000n;
/** Each kind of entry holds for this many bytes of code. */
const STEP = 0x10n;

const TYPES = {
  "6.4": { undefined: 0, end: 1, call: 2, regs: 3, partial: 4 },
  "6.3": { undefined: 0, end: 8, call: 0, regs: 1, partial: 2 },
  "4.14": { undefined: 0, end: 4, call: 0, regs: 1, partial: 2 },
} as const;
type Version = keyof typeof TYPES;
type Kind = keyof (typeof TYPES)["6.4"];

/** Numbers of registers in entries: arch/x86/include/asm/orc_types.h. */
const REGISTER = { none: 0, previous: 1, rbp: 4, rsp: 5, r10: 6, atRbp: 8, atRsp: 9 } as const;
type Register = keyof typeof REGISTER;

interface Entry {
  readonly kind: Kind;
  readonly stack: readonly [Register, number];
  readonly frame?: readonly [Register, number];
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  call: { kind: "call", stack: ["rsp", 0x18] },
  saved: { kind: "call", stack: ["rsp", 0x28], frame: ["previous", -16] },
  framed: { kind: "call", stack: ["rbp", 16], frame: ["previous", -16] },
  realigned: { kind: "call", stack: ["r10", 0], frame: ["rbp", 0] },
  switched: { kind: "call", stack: ["atRsp", 8] },
  drap: { kind: "call", stack: ["atRbp", -8], frame: ["rbp", 0] },
  interrupted: { kind: "regs", stack: ["rsp", 0x10] },
  hardware: { kind: "partial", stack: ["rsp", 0x8] },
  outermost: { kind: "end", stack: ["none", 0] },
  unknown: { kind: "undefined", stack: ["none", 0] },
};
const NAMES = Object.keys(ENTRIES);

function tables(version: Version, order: "sorted" | "reversed") {
  // A kernel's entries are calls for the most part, and its bits for interruptions are in use.
  const padding = Array.from({ length: 40 }, (): Entry => ENTRIES.call!);
  const all = [...NAMES.map((name) => ENTRIES[name]!), ...padding];
  const numbered = all.map((entry, i) => ({ entry, at: TEXT + STEP * BigInt(i) }));
  if (order === "reversed") numbered.reverse();
  const ips = numbered.flatMap(({ at }, i) => [...toBytes(at - (IP_START + BigInt(4 * i)), 4)]);
  const entries = numbered.flatMap(({ entry: { kind, stack, frame = ["none", 0] } }) => {
    const type = TYPES[version][kind] << 8;
    const word = REGISTER[stack[0]] | (REGISTER[frame[0]] << 4) | type;
    return [
      ...toBytes(BigInt(stack[1]), 2),
      ...toBytes(BigInt(frame[1]), 2),
      ...toBytes(BigInt(word), 2),
    ];
  });
  return { ipStart: IP_START, ips: Uint8Array.from(ips), entries: Uint8Array.from(entries) };
}

/** A stack whose word at STACK + n is 0xabc000 + n, unless `words` says otherwise. */
function stateWith(
  registers: Record<string, bigint>,
  words: Record<number, bigint> = {},
): FrameState {
  return {
    register: (number) => registers[REGISTERS.x86_64.names[number] ?? "-"],
    readMemory: (address, length) => {
      const offset = Number(address - STACK);
      if (offset < 0 || offset > 0x1000) return undefined;
      return toBytes(words[offset] ?? 0xabc000n + BigInt(offset), length);
    },
  };
}

describe.each(["6.4", "6.3", "4.14"] as const)("tables of %s", (version) => {
  const unwinder = new OrcUnwinder(tables(version, "sorted"));
  const at = (name: string, state: FrameState, within = 5n) => {
    const found = unwinder.unwind(TEXT + STEP * BigInt(NAMES.indexOf(name)) + within, state);
    if (found.kind !== "caller") return found.kind;
    const known = ["rsp", "rbp", "rbx", "r15", "cs", "rflags"].map((register) =>
      found.state.register(REGISTERS.x86_64.names.indexOf(register)),
    );
    return { pc: found.pc, cfa: found.cfa - STACK, signal: found.isSignalFrame, known };
  };
  const registers = { rsp: STACK, rbp: STACK + 0x40n, r10: STACK + 0x60n };
  const word = (offset: number) => 0xabc000n + BigInt(offset);
  const called = (cfa: number, rbp: bigint) => ({
    pc: word(cfa - 8),
    cfa: BigInt(cfa),
    signal: false,
    known: [STACK + BigInt(cfa), rbp, undefined, undefined, undefined, undefined],
  });

  test("calls", () => {
    const state = stateWith(registers);
    expect(at("call", state)).toEqual(called(0x18, registers.rbp));
    expect(at("call", state, 0n)).toEqual(called(0x18, registers.rbp));
    expect(at("call", state, STEP - 1n)).toEqual(called(0x18, registers.rbp));
    expect(at("saved", state)).toEqual(called(0x28, word(0x18)));
    expect(at("framed", state)).toEqual(called(0x50, word(0x40)));
    expect(at("realigned", state)).toEqual(called(0x60, word(0x40)));
    expect(at("switched", stateWith(registers, { 0: STACK + 0x100n }))).toEqual(
      called(0x108, registers.rbp),
    );
    const indirect = stateWith(registers, { 56: STACK + 0x200n, 64: 0x77n });
    expect(at("drap", indirect)).toEqual(called(0x200, 0x77n));
  });

  test("interruptions give all registers, or those that the CPU pushed", () => {
    // struct pt_regs: r15 at 0, rbp at 0x20, rbx at 0x28, rip at 0x80, cs, rflags, rsp at 0x98.
    const known = [word(0xa8), word(0x30), word(0x38), word(0x10), word(0x98), word(0xa0)];
    const cfa = BigInt(0x10 + 0xa8);
    expect(at("interrupted", stateWith(registers))).toEqual({
      pc: word(0x90),
      cfa,
      signal: true,
      known,
    });
    expect(at("hardware", stateWith(registers))).toEqual({
      pc: word(0x8),
      cfa: 0x30n,
      signal: true,
      known: [word(0x20), registers.rbp, undefined, undefined, word(0x10), word(0x18)],
    });
  });

  test("what has no caller, and what cannot be read", () => {
    expect(at("outermost", stateWith(registers))).toBe("end");
    expect(at("unknown", stateWith(registers))).toBe("unavailable");
    expect(at("call", stateWith({ rsp: STACK - 0x1000n }))).toBe("unavailable");
    expect(at("framed", stateWith({ rsp: STACK }))).toBe("unavailable");
    expect(unwinder.unwind(TEXT - 1n, stateWith(registers)).kind).toBe("unavailable");
  });

  test("a table that the kernel has not sorted yet", () => {
    const reversed = new OrcUnwinder(tables(version, "reversed"));
    const cfaAt = (from: OrcUnwinder, i: number) => {
      const found = from.unwind(TEXT + STEP * BigInt(i) + 3n, stateWith(registers));
      return found.kind === "caller" ? found.cfa : found.kind;
    };
    for (const [i] of NAMES.entries()) expect(cfaAt(reversed, i)).toBe(cfaAt(unwinder, i));
  });
});

test("empty tables know no frame", () => {
  const none = new Uint8Array(0);
  const unwinder = new OrcUnwinder({ ipStart: IP_START, ips: none, entries: none });
  expect(unwinder.unwind(TEXT, stateWith({})).kind).toBe("unavailable");
});
