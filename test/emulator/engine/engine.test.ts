// The engine: exact budgets, changing code, breakpoints, limits of the code segment, odd fetches.
import { describe, expect, test } from "vitest";
import { loadRom } from "../../../emulator/loader/rom.ts";
import { Machine } from "../../../emulator/machine.ts";
import { Rom } from "../../../emulator/rom.ts";
import { CODE_BYTES } from "../../../emulator/state/memory-map.ts";
import { CODE, type Mode, Rig, STACK, WINDOW } from "../machine/rig.ts";

const TIERS = ["compiled", "evaluated"] as const;
const MODES: readonly Mode[] = ["real", "protected16", "protected32", "long"];

/** inc eax; the loop over `count` of them: each retires once. */
const INC = "ff c0";
const NOP = "90";

describe.each(TIERS)("budget, %s", (tier) => {
  test.each(MODES)("run(n) retires n, across pages: %s", (mode) => {
    const rig = new Rig(mode, tier);
    const start = 0x5ff0;
    rig.code(NOP.repeat(0x2000), start);
    for (const n of [1, 2, 3, 7, 15, 16, 17, 100, 4096]) {
      rig.state.rip = BigInt(start);
      const before = rig.machine.icount;
      expect(rig.run(n)).toEqual({ reason: "budget" });
      expect(rig.machine.icount - before).toBe(n);
      expect(rig.state.rip).toBe(BigInt(start + n));
    }
  });

  test("a budget of nothing changes nothing", () => {
    const rig = new Rig("long", tier);
    rig.code(INC);
    const hash = rig.machine.stateHash();
    expect(rig.run(0)).toEqual({ reason: "budget" });
    expect(rig.machine.stateHash()).toBe(hash);
  });

  test("each iteration of a REP string retires", () => {
    const rig = new Rig("long", tier);
    rig.code("f3 aa 90");
    Object.assign(rig.state, { rcx: 10n, rdi: 0x2_0000n, rax: 0x5an });
    rig.run(4);
    expect(rig.state).toMatchObject({ rcx: 6n, rdi: 0x2_0004n, rip: BigInt(CODE) });
    rig.run(6);
    expect(rig.state).toMatchObject({ rcx: 0n, rip: BigInt(CODE + 2) });
    expect(rig.machine.icount).toBe(10);
  });

  test("REP with a count of 0 retires once", () => {
    const rig = new Rig("long", tier);
    rig.code("f3 a4 90");
    rig.run(1);
    expect(rig.state.rip).toBe(BigInt(CODE + 2));
  });

  test("an instruction that faults does not retire", () => {
    const rig = new Rig("long", tier);
    rig.code("90 90 0f 0b");
    expect(rig.run(100)).toMatchObject({ reason: "observer" });
    expect(rig.machine.icount).toBe(2);
    expect(rig.lastException).toBe("UD");
  });

  test("a fault's handler goes on with the rest of the budget", () => {
    const rig = new Rig("long", tier);
    rig.stopsAtException = false;
    rig.code("90 90 0f 0b");
    rig.code("90 90 90 90", 0x3006);
    expect(rig.run(5)).toEqual({ reason: "budget" });
    expect(rig.state.rip).toBe(0x3009n);
  });
});

describe.each(TIERS)("code that changes, %s", (tier) => {
  /** mov byte [rdi], al; then the bytes given; runs until HLT and says what EAX became. */
  function store(rig: Rig, target: bigint, opcode: number, following: string): Rig {
    rig.code(`88 07 ${following}`);
    Object.assign(rig.state, { rdi: target, rax: BigInt(opcode), rbx: 0n });
    expect(rig.run(100)).toMatchObject({ reason: "idle", forever: true });
    return rig;
  }
  const INC_EBX = "ff c3";
  /** Second byte of INC EBX (c3) becomes that of DEC EBX (cb). */
  const DEC = 0xcb;

  test("the next instruction", () => {
    const rig = store(new Rig("long", tier), BigInt(CODE + 3), DEC, `${INC_EBX} f4`);
    expect(rig.state.rbx).toBe(0xffff_ffffn);
  });

  test("an instruction of the same page that ran already", () => {
    const rig = new Rig("long", tier);
    // loop: inc ebx; mov [rdi], al; dec ecx; jnz loop; hlt
    rig.code("ff c3 88 07 ff c9 75 f8 f4");
    Object.assign(rig.state, { rcx: 3n, rdi: BigInt(CODE + 1), rax: BigInt(DEC) });
    rig.run(100);
    expect(rig.state.rbx).toBe(0xffff_ffffn);
  });

  test.each([
    ["in its first page", 0x7000 - 1, 0x7000 - 1],
    ["in its second page", 0x7000 - 1, 0x7000],
  ])("an instruction across two pages, changed %s", (_, place, changed) => {
    const rig = new Rig("long", tier);
    rig.code("ff c3 eb fe", place);
    // call place's code twice, with a change between: mov [rdi],al
    rig.code(`e8 ${le32(place - CODE - 5)} 88 07 e8 ${le32(place - CODE - 12)} f4`);
    rig.code("ff c3 c3", place);
    const first = changed === place;
    // fe c3 is INC BL; ff cb is DEC EBX.
    Object.assign(rig.state, {
      rdi: BigInt(changed),
      rax: first ? 0xfen : BigInt(DEC),
      rbx: 0xffn,
    });
    rig.run(100);
    expect(rig.state.rbx).toBe(first ? 0x101n : 0xffn);
  });

  test("an instruction across two pages, the second of which becomes another", () => {
    const rig = new Rig("long", tier);
    const first = rig.map(3, 0x6000);
    rig.code("ff", 0x6fff);
    const rbx = [0x7000, 0x8000, 0x7000].map((second, i) => {
      rig.code(["c3", "cb"][i % 2] as string, second);
      expect(rig.map(4, second)).toBe(first + 0x1000n);
      rig.machine.cpu.mmu.flushAll();
      rig.state.rip = first + 0xfffn;
      rig.run(1);
      return rig.state.rbx;
    });
    // INC EBX, DEC EBX, INC EBX.
    expect(rbx).toEqual([1n, 0n, 1n]);
  });

  test("through a second mapping of the page", () => {
    const rig = new Rig("long", tier);
    const alias = rig.map(3, CODE & ~0xfff);
    rig.code("ff c3 88 07 ff c9 75 f8 f4");
    const rdi = alias + BigInt((CODE & 0xfff) + 1);
    Object.assign(rig.state, { rcx: 3n, rdi, rax: BigInt(DEC) });
    rig.run(100);
    expect(rig.state.rbx).toBe(0xffff_ffffn);
  });

  test("many times over", () => {
    const rig = new Rig("long", tier);
    // loop: inc ebx; xor byte [rdi], 8; dec ecx; jnz loop; hlt - INC and DEC in turn
    rig.code("ff c3 80 37 08 ff c9 75 f7 f4");
    Object.assign(rig.state, { rcx: 101n, rdi: BigInt(CODE + 1) });
    rig.run(1000);
    expect(rig.state.rbx).toBe(1n);
  });

  test("by a debugger", () => {
    const rig = new Rig("long", tier);
    rig.code("ff c3 eb fc");
    rig.run(10);
    rig.code("ff cb");
    rig.run(10);
    expect(rig.state.rbx).toBe(0n);
  });
});

const le32 = (value: number): string =>
  [0, 8, 16, 24].map((shift) => ((value >> shift) & 0xff).toString(16).padStart(2, "0")).join(" ");

test("more code than the arena holds: flushed, and the program goes on", () => {
  // A record for each byte of a page and its slot table: 48 bytes of arena a byte of code.
  const pages = Math.ceil(CODE_BYTES / (4096 * 36)) + 40;
  const rig = new Rig("long", "compiled", 0x40_0000 + pages * 4096);
  const start = 0x20_0000;
  rig.machine.memory.poke(start, new Uint8Array(pages * 4096).fill(0x90));
  rig.code("e9", start + pages * 4096 - 5);
  rig.write(start + pages * 4096 - 4, 4, BigInt.asUintN(32, BigInt(-pages * 4096)));
  rig.state.rip = BigInt(start);
  const round = pages * 4096 - 4;
  for (let i = 0; i < 2; i++) {
    rig.run(round);
    expect(rig.state.rip).toBe(BigInt(start));
  }
  expect(rig.machine.cpu.engine.counters.decodes).toBeGreaterThan(round);
});

describe.each(TIERS)("breakpoints, %s", (tier) => {
  function watched(rig: Rig): { hits: bigint[]; guests: boolean[] } {
    const log = { hits: [] as bigint[], guests: [] as boolean[] };
    rig.machine.observe({
      name: "breakpoint",
      on: {
        execute: ({ linear, guest }) => {
          log.hits.push(linear);
          log.guests.push(guest);
          return "stop";
        },
      },
    });
    return log;
  }

  test("stop before the instruction, pass on request, stop at the next turn", () => {
    const rig = new Rig("long", tier);
    rig.code("ff c3 ff c1 eb fa");
    const { engine } = rig.machine.cpu;
    engine.addBreakpoint(BigInt(CODE + 2));
    const log = watched(rig);
    expect(rig.run(100)).toEqual({ reason: "observer", observer: "breakpoint" });
    expect(rig.state).toMatchObject({ rip: BigInt(CODE + 2), rbx: 1n, rcx: 0n });
    expect(rig.machine.icount).toBe(1);
    // Without being passed it stops again at once.
    expect(rig.run(100).reason).toBe("observer");
    expect(rig.machine.icount).toBe(1);
    const passing = { instructions: 100, passBreakpoint: true };
    expect(rig.machine.run(passing).reason).toBe("observer");
    expect(rig.state).toMatchObject({ rip: BigInt(CODE + 2), rbx: 2n, rcx: 1n });
    engine.removeBreakpoint(BigInt(CODE + 2));
    expect(rig.run(100)).toEqual({ reason: "budget" });
    expect(log.hits).toEqual([1, 2, 3].map(() => BigInt(CODE + 2)));
  });

  test("on an instruction across two pages", () => {
    const rig = new Rig("long", tier);
    rig.code("90 ff c3 90", 0x6ffe);
    rig.state.rip = 0x6ffen;
    rig.machine.cpu.engine.addBreakpoint(0x6fffn);
    watched(rig);
    expect(rig.run(100).reason).toBe("observer");
    expect(rig.state).toMatchObject({ rip: 0x6fffn, rbx: 0n });
    rig.machine.run({ instructions: 1, passBreakpoint: true });
    expect(rig.state).toMatchObject({ rip: 0x7001n, rbx: 1n });
  });

  test("same offset in another page does not stop", () => {
    const rig = new Rig("long", tier);
    rig.code("90 90 90");
    rig.machine.cpu.engine.addBreakpoint(BigInt(CODE + 1 + 0x1000));
    const log = watched(rig);
    expect(rig.run(3)).toEqual({ reason: "budget" });
    expect(log.hits).toEqual([]);
  });

  test("at a physical address, through whatever mapping; the event says both addresses", () => {
    const rig = new Rig("long", tier);
    rig.code("ff c3 ff c1 c3");
    const page = CODE & ~0xfff;
    const [first, second] = [rig.map(3, page), rig.map(9, page)];
    const { engine } = rig.machine.cpu;
    engine.addPhysicalBreakpoint(CODE + 2);
    const seen: unknown[] = [];
    rig.machine.observe({
      name: "breakpoint",
      on: {
        execute: (event) => {
          seen.push(event);
          return "stop";
        },
      },
    });
    for (const base of [BigInt(page), first, second]) {
      rig.state.rip = base + BigInt(CODE - page);
      expect(rig.run(100)).toEqual({ reason: "observer", observer: "breakpoint" });
      const linear = base + BigInt(CODE - page + 2);
      expect(rig.state.rip).toBe(linear);
      expect(seen.pop()).toEqual({ linear, physical: CODE + 2, guest: false });
    }
    // The same offset of another page, and the linear address of the same number, do not stop.
    rig.code("90 90 90", CODE + 0x1000);
    const other = rig.map(5, page + 0x1000);
    rig.state.rip = other + BigInt(CODE - page);
    expect(rig.run(3)).toEqual({ reason: "budget" });
    engine.removePhysicalBreakpoint(CODE + 2);
    rig.state.rip = first + BigInt(CODE - page);
    expect(rig.run(2)).toEqual({ reason: "budget" });
    expect(seen).toEqual([]);
  });

  test("linear and physical at one instruction are one event; each goes by its own removal", () => {
    const rig = new Rig("long", tier);
    rig.code("90 90 eb fc");
    const { engine } = rig.machine.cpu;
    const at = BigInt(CODE + 1);
    engine.addBreakpoint(at);
    engine.addBreakpoint(at);
    engine.addPhysicalBreakpoint(CODE + 1);
    const log = watched(rig);
    const next = (): string => rig.machine.run({ instructions: 9, passBreakpoint: true }).reason;
    expect(next()).toBe("observer");
    expect(log.hits).toEqual([at]);
    engine.removeBreakpoint(at);
    engine.removePhysicalBreakpoint(CODE + 1);
    expect(next()).toBe("observer");
    engine.removeBreakpoint(at);
    engine.removeBreakpoint(at);
    expect(next()).toBe("budget");
    engine.addBreakpoint(at);
    expect(next()).toBe("observer");
  });

  test("in ROM: by either address of the copied part, and in the part that is a device", () => {
    const bytes = new Uint8Array(0x4_0000).fill(0x90);
    const { length } = bytes;
    // Reset vector: jmp far f000:e000
    bytes.set([0xea, 0x00, 0xe0, 0x00, 0xf0], length - 16);
    for (const address of [2 ** 32 - 0x2000 + 1, 0xf_e001]) {
      const machine = new Machine({ ramBytes: 0x20_0000, tier });
      machine.load(loadRom({ name: "rom", bytes }));
      machine.cpu.engine.addPhysicalBreakpoint(address);
      const rig = { machine } as Rig;
      const log = watched(rig);
      expect(machine.run({ instructions: 10 }).reason).toBe("observer");
      expect(log.hits).toEqual([0xf_e001n]);
      machine.cpu.engine.removePhysicalBreakpoint(address);
      expect(machine.run({ instructions: 10 }).reason).toBe("budget");
    }
    const above = new Rig("protected32", tier);
    above.machine.memory.attachMmio(new Rom(0xfff0_0000, bytes), 0xfff0_0000, length);
    above.machine.cpu.engine.addPhysicalBreakpoint(0xfff0_0003);
    above.state.rip = 0xfff0_0000n;
    const log = watched(above);
    expect(above.run(10).reason).toBe("observer");
    expect(log.hits).toEqual([0xfff0_0003n]);
  });

  test("setting one drops the decoded instructions at its offset and no others", () => {
    const rig = new Rig("long", tier);
    rig.code(`${NOP.repeat(62)} eb c0`);
    const { engine } = rig.machine.cpu;
    rig.run(126);
    const before = engine.counters.decodes;
    for (let i = 0; i < 2000; i++) engine.addBreakpoint(0x10_0000n + BigInt(i * 0x1001));
    engine.addPhysicalBreakpoint(CODE + 5);
    engine.removePhysicalBreakpoint(CODE + 5);
    for (let i = 0; i < 2000; i++) engine.removeBreakpoint(0x10_0000n + BigInt(i * 0x1001));
    rig.run(126);
    expect(engine.counters.decodes - before).toBe(63);
    const again = engine.counters.decodes;
    engine.addBreakpoint(0x10_0000n + BigInt(CODE % 0x1000) + 7n);
    rig.run(126);
    expect(engine.counters.decodes - again).toBe(1);
  });

  test("passing concerns the instruction at rip: one in an interrupt's handler still stops", () => {
    const rig = new Rig("long", tier);
    rig.stopsAtException = false;
    rig.code("90 90");
    rig.code("90 f4", 0x3002);
    rig.machine.cpu.engine.addBreakpoint(0x3002n);
    const log = watched(rig);
    rig.state.nmiPending = 1;
    expect(rig.machine.run({ instructions: 5, passBreakpoint: true }).reason).toBe("observer");
    expect(log.hits).toEqual([0x3002n]);
  });

  test("a stop in the shadow of STI does not end the shadow", () => {
    const rig = new Rig("long", tier);
    rig.code("fb 90 90");
    rig.machine.cpu.engine.addBreakpoint(BigInt(CODE + 1));
    watched(rig);
    expect(rig.run(100).reason).toBe("observer");
    expect(rig.state.interruptShadow).toBe(1);
  });
});

describe.each(TIERS)("the code segment, %s", (tier) => {
  test("rip over the limit is #GP(0)", () => {
    const rig = new Rig("protected32", tier);
    rig.setSegment("cs", { limit: CODE + 1 });
    rig.code("90 90 90");
    rig.run(10);
    expect(rig.lastException).toBe("GP(0)");
    expect(rig.machine.icount).toBe(2);
  });

  test("an instruction that reaches over the limit is #GP(0)", () => {
    const rig = new Rig("protected32", tier);
    rig.setSegment("cs", { limit: CODE + 1 });
    rig.code("90 ff c0");
    rig.run(10);
    expect(rig.lastException).toBe("GP(0)");
    expect(rig.state.rax).toBe(0n);
  });

  test("a base that is not page-aligned", () => {
    const rig = new Rig("protected32", tier);
    rig.setSegment("cs", { base: 0x123n, limit: 0xffff });
    rig.code("ff c0 e9 f0 0f 00 00", 0x123);
    rig.code("ff c0 f4", 0x123 + 0xff7);
    rig.state.rip = 0n;
    expect(rig.run(10).reason).toBe("idle");
    expect(rig.state).toMatchObject({ rax: 2n, rip: 0xffan });
  });

  test.each(["real", "protected16"] as const)("%s: past FFFF is #GP, not 0", (mode) => {
    const rig = new Rig(mode, tier);
    rig.code("90", 0xffff);
    rig.state.rip = 0xffffn;
    rig.run(1);
    expect(rig.state.rip).toBe(0x1_0000n);
    rig.run(1);
    expect(rig.exceptions.at(-1)?.name).toBe("GP");
  });

  test.each(["real", "protected16"] as const)("%s: a 16-bit jump wraps at FFFF", (mode) => {
    const rig = new Rig(mode, tier);
    // jmp +10 from fff0 is at fffc after wrap: eb 20 ends at fff2, target 0x12
    rig.code("eb 20", 0xfff0);
    rig.state.rip = 0xfff0n;
    rig.run(1);
    expect(rig.state.rip).toBe(0x12n);
  });

  test("32-bit addresses wrap at 4 GiB: base and rip", () => {
    const rig = new Rig("protected32", tier);
    rig.setSegment("cs", { base: 0xffff_f000n, limit: 0xffff_ffff });
    rig.code("ff c0 f4");
    rig.state.rip = BigInt(CODE + 0x1000);
    expect(rig.run(5).reason).toBe("idle");
    expect(rig.state.rax).toBe(1n);
  });
});

describe.each(TIERS)("odd fetches, %s", (tier) => {
  test.each(MODES)("16 bytes are #GP(0): %s", (mode) => {
    const rig = new Rig(mode, tier);
    rig.code(`${"66 ".repeat(15)}90`);
    rig.run(1);
    expect(rig.exceptions.at(-1)?.name).toBe("GP");
    expect(rig.machine.icount).toBe(0);
  });

  test.each(MODES)("15 bytes are legal: %s", (mode) => {
    const rig = new Rig(mode, tier);
    rig.code(`${"66 ".repeat(14)}90`);
    rig.run(1);
    expect(rig.lastException).toBe("");
    expect(rig.state.rip).toBe(BigInt(CODE + 15));
  });

  test("from a hole in the address space: all ones, an undefined opcode", () => {
    const rig = new Rig("protected32", tier);
    rig.state.rip = 0xd000_0000n;
    rig.run(1);
    expect(rig.lastException).toBe("UD");
  });

  test("an opcode that no row has is #UD and an event", () => {
    const rig = new Rig("long", tier);
    rig.code("0f 0a");
    rig.run(1);
    expect(rig.lastException).toBe("UD");
    expect(rig.unimplemented).toHaveLength(1);
    expect(rig.state.rip).toBe(BigInt(0x3006));
  });

  test("UD2 is #UD and no event", () => {
    const rig = new Rig("long", tier);
    rig.code("0f 0b");
    rig.run(1);
    expect(rig.lastException).toBe("UD");
    expect(rig.unimplemented).toEqual([]);
  });

  test("the second page of an instruction is not present: #PF there, at the instruction", () => {
    const rig = new Rig("long", tier);
    const first = rig.map(0, 0x2_0000);
    rig.unmap(1);
    rig.code("b8 01", 0x2_0ffe);
    rig.state.rip = first + 0xffen;
    rig.run(1);
    expect(rig.lastException).toBe("PF(10)");
    expect(rig.state.cr2).toBe(WINDOW + 0x1000n);
    expect(rig.read(Number(rig.state.rsp) + 8, 8)).toBe(first + 0xffen);
  });

  test("fetch from a page with NX is #PF(11)", () => {
    const rig = new Rig("long", tier);
    rig.state.rip = rig.map(0, 0x2_0000, 7n | (1n << 63n));
    rig.run(1);
    expect(rig.lastException).toBe("PF(11)");
  });

  test("rip-relative displacement that reaches over 31 bits with the length", () => {
    const rig = new Rig("long", tier);
    // mov eax, [rip + 7fffffff]: the address is far outside what is mapped.
    rig.code("8b 05 ff ff ff 7f");
    rig.run(1);
    expect(rig.lastException).toBe("PF(0)");
    expect(rig.state.cr2).toBe(BigInt(CODE + 6) + 0x7fff_ffffn);
  });
});

describe.each(TIERS)("addresses that are not canonical, %s", (tier) => {
  const BAD = 0x8000_0000_0000n;
  const faulting = (code: string, values: Record<string, bigint>): Rig => {
    const rig = new Rig("long", tier);
    rig.code(code);
    Object.assign(rig.state, values);
    rig.run(1);
    return rig;
  };
  test.each([
    ["PUSH", "50", { rsp: BAD + 8n }, "SS(0)"],
    ["POP", "58", { rsp: BAD }, "SS(0)"],
    ["CALL", "e8 00 00 00 00", { rsp: BAD + 8n }, "SS(0)"],
    ["RET", "c3", { rsp: BAD }, "SS(0)"],
    ["LEAVE", "c9", { rbp: BAD }, "SS(0)"],
    ["MOV through rSP", "8b 04 24", { rsp: BAD }, "SS(0)"],
    ["MOV through rBP", "8b 45 00", { rbp: BAD }, "SS(0)"],
    ["MOV to rBP", "89 45 00", { rbp: BAD }, "SS(0)"],
    ["ADD to rBP", "01 45 00", { rbp: BAD }, "SS(0)"],
    ["MOVUPS from rBP", "0f 10 45 00", { rbp: BAD }, "SS(0)"],
    ["PUSH of memory that is bad", "ff 30", { rax: BAD }, "GP(0)"],
    ["MOV through rAX", "8b 00", { rax: BAD }, "GP(0)"],
    ["MOV to rAX", "89 00", { rax: BAD }, "GP(0)"],
    ["STOS", "aa", { rdi: BAD }, "GP(0)"],
    ["partly, at the lower edge", "48 8b 00", { rax: BAD - 3n }, "GP(0)"],
    ["partly, at the upper edge", "48 8b 00", { rax: 0xffff_7fff_ffff_fffdn }, "GP(0)"],
    ["through FS with DS's rBP", "64 8b 45 00", { rbp: BAD }, "GP(0)"],
  ])("%s", (_, code, values, expected) => {
    const rig = faulting(code, values);
    expect(rig.firstException).toBe(expected);
  });

  test("CALL: the stack's fault comes before the target's, and a bad target moves nothing", () => {
    const both = faulting("ff d0", { rax: BAD, rsp: BAD + 8n });
    expect(both.firstException).toBe("SS(0)");
    const target = faulting("ff d0", { rax: BAD });
    expect(target.lastException).toBe("GP(0)");
    // The frame of #GP starts at the stack pointer as it was: five words and the code.
    expect(target.state.rsp).toBe(BigInt(STACK - 48));
    expect(target.read(STACK - 16, 8)).toBe(BigInt(STACK));
  });

  test("RET: the stack's fault comes first, then the target's, and rSP stays", () => {
    const rig = new Rig("long", tier);
    rig.code("c3");
    rig.write(STACK, 8, BAD);
    rig.run(1);
    expect(rig.lastException).toBe("GP(0)");
    expect(rig.read(STACK - 16, 8)).toBe(BigInt(STACK));
  });
});

describe.each(TIERS)("CMPXCHG16B and CMPXCHG8B check the write at the read, %s", (tier) => {
  test.each([
    ["CMPXCHG16B, equal", "48 0f c7 0e", 0n],
    ["CMPXCHG16B, not equal", "48 0f c7 0e", 1n],
    ["CMPXCHG8B, equal", "0f c7 0e", 0n],
    ["CMPXCHG8B, not equal", "0f c7 0e", 1n],
  ])("%s", (_, code, rax) => {
    const rig = new Rig("long", tier);
    rig.code(code);
    const page = rig.map(0, 0x2_0000, 5n);
    Object.assign(rig.state, { rsi: page, rax });
    rig.run(1);
    expect(rig.lastException).toBe("PF(3)");
    expect(rig.state.rax).toBe(rax);
    rig.unmap(0);
    rig.machine.cpu.mmu.flushAll();
    rig.state.rip = BigInt(CODE);
    rig.run(1);
    expect(rig.lastException).toBe("PF(2)");
  });
});
