// Data accesses to watched linear pages, and reads and writes of watched physical pages, as events.
import { describe, expect, test } from "vitest";
import type { ObserverEvents } from "../../../emulator/observers.ts";
import { GuestRig } from "./guest-rig.ts";
import { CODE, GDT, HANDLERS, IDT, Rig, STACK, WINDOW } from "./rig.ts";

const TIERS = ["compiled", "evaluated"] as const;
const DATA = 0x2_0000n;
/** Local APIC: a page of device registers. */
const APIC = 0xfee0_0000n;

/** "w 20000+4 1 -> 2" or "r 20000+4 1", with a physical address where it differs. */
function describeAccess(access: ObserverEvents["linearAccess"]): string {
  const { linear, physical, size, write, before, after, guest } = access;
  const hex = (value: bigint | number): string => value.toString(16);
  const place = `${guest ? "guest " : ""}${write ? "w" : "r"} ${hex(linear)}+${size}`;
  const at = BigInt(physical) === linear ? "" : ` at ${hex(physical)}`;
  if (!write) expect(after).toBe(before);
  return `${place}${at} ${hex(before)}${write ? ` -> ${hex(after)}` : ""}`;
}

function accesses(rig: Rig): string[] {
  const log: string[] = [];
  rig.machine.observe({
    name: "accesses",
    on: {
      linearAccess: (access) => {
        log.push(describeAccess(access));
        return undefined;
      },
    },
  });
  return log;
}

interface Case {
  readonly code: string;
  readonly registers?: Record<string, bigint>;
  /** Instructions; default 1. */
  readonly run?: number;
  readonly expected: readonly string[];
}

const rdi = { rdi: DATA };
const CASES: Record<string, Case> = {
  "MOV from memory": { code: "8b 07", registers: rdi, expected: ["r 20000+4 33221100"] },
  "MOV to memory": {
    code: "88 07",
    registers: { ...rdi, rax: 0x5an },
    expected: ["w 20000+1 0 -> 5a"],
  },
  "ADD to memory is one write": {
    code: "83 07 01",
    registers: rdi,
    expected: ["w 20000+4 33221100 -> 33221101"],
  },
  "a write of the same value is a write": {
    code: "83 0f 00",
    registers: rdi,
    expected: ["w 20000+4 33221100 -> 33221100"],
  },
  "CMPXCHG that does not exchange writes what was there": {
    code: "0f b1 0f",
    registers: rdi,
    expected: ["w 20000+4 33221100 -> 33221100"],
  },
  XCHG: {
    code: "87 07",
    registers: { ...rdi, rax: 7n },
    expected: ["w 20000+4 33221100 -> 7"],
  },
  "CMP reads": { code: "3b 07", registers: rdi, expected: ["r 20000+4 33221100"] },
  MOVS: {
    code: "a4",
    registers: { rdi: DATA + 8n, rsi: DATA + 1n },
    expected: ["r 20001+1 11", "w 20008+1 0 -> 11"],
  },
  "REP STOS: each iteration": {
    code: "f3 aa",
    registers: { rdi: DATA, rcx: 2n, rax: 0xffn },
    run: 2,
    expected: ["w 20000+1 0 -> ff", "w 20001+1 11 -> ff"],
  },
  "PUSH and POP": {
    code: "50 5b",
    registers: { rsp: DATA + 0x10n, rax: 0x77n },
    run: 2,
    expected: ["w 20008+8 0 -> 77", "r 20008+8 77"],
  },
  "PUSH of memory": {
    code: "ff 37",
    registers: { ...rdi, rsp: DATA + 0x10n },
    expected: ["r 20000+8 33221100", "w 20008+8 0 -> 33221100"],
  },
  "CALL and RET": {
    code: "e8 00 00 00 00 c3",
    registers: { rsp: DATA + 0x10n },
    run: 2,
    expected: ["w 20008+8 0 -> 6005", "r 20008+8 6005"],
  },
};

describe.each(TIERS)("accesses to a watched linear page, %s", (tier) => {
  const prepared = ({ code, registers = {} }: Pick<Case, "code" | "registers">): Rig => {
    const rig = new Rig("long", tier);
    rig.code(code);
    rig.write(Number(DATA), 4, 0x3322_1100n);
    Object.assign(rig.state, registers);
    return rig;
  };

  test.each(Object.entries(CASES))("%s", (_, { run = 1, expected, ...given }) => {
    const plain = prepared(given);
    plain.run(run);
    const rig = prepared(given);
    const stop = rig.machine.cpu.mmu.watchLinear(DATA + 0x123n);
    const log = accesses(rig);
    expect(rig.run(run)).toEqual({ reason: "budget" });
    expect(log).toEqual(expected);
    expect(rig.machine.stateHash()).toBe(plain.machine.stateHash());
    stop();
    rig.state.rip = BigInt(CODE);
    rig.run(run);
    expect(log).toEqual(expected);
  });

  test("the last of several watches ends it; ending one twice counts once", () => {
    const rig = prepared({ code: "8b 07 eb fc", registers: { rdi: DATA } });
    rig.run(2);
    const { mmu } = rig.machine.cpu;
    const [first, second] = [mmu.watchLinear(DATA), mmu.watchLinear(DATA + 8n)];
    const log = accesses(rig);
    rig.run(2);
    first();
    first();
    rig.run(2);
    second();
    rig.run(2);
    expect(log).toHaveLength(2);
  });

  test("an access across two pages: an event for each part on a watched page", () => {
    for (const [code, parts] of [
      ["48 8b 07", ["r 20ffe+2 bbaa", "r 21000+6 ddcc"]],
      ["48 89 07", ["w 20ffe+2 bbaa -> 2211", "w 21000+6 ddcc -> 665544332211"]],
      ["48 ff 07", ["w 20ffe+2 bbaa -> bbab", "w 21000+6 ddcc -> ddcc"]],
    ] as const) {
      for (const watched of [[0], [1], [0, 1]]) {
        const rig = prepared({ code, registers: { rdi: 0x2_0ffen, rax: 0x6655_4433_2211_2211n } });
        rig.write(0x2_0ffe, 4, 0xddcc_bbaan);
        for (const page of watched) rig.machine.cpu.mmu.watchLinear(DATA + BigInt(page * 0x1000));
        const log = accesses(rig);
        rig.run(1);
        expect(log).toEqual(watched.map((page) => parts[page]));
      }
    }
  });

  test("only that linear page: another mapping of the same memory is not told", () => {
    const rig = prepared({ code: "c6 07 01 c6 06 02" });
    const [first, second] = [rig.map(1, 0x3_0000), rig.map(2, 0x3_0000)];
    Object.assign(rig.state, { rdi: first, rsi: second });
    rig.machine.cpu.mmu.watchLinear(second);
    const log = accesses(rig);
    rig.run(2);
    expect(log).toEqual(["w 40002000+1 at 30000 1 -> 2"]);
  });

  test("a guest's under nested paging: its linear address, the host's physical one", () => {
    const rig = new GuestRig(tier);
    // mov [rdi], eax; nop
    rig.guestCode("89 07 90");
    const linear = rig.map(1, 0x3_0000);
    Object.assign(rig.state, { rdi: linear });
    // The guest-physical page 40030000h of the nested tables is the window's page 48.
    const entry = BigInt(Number(WINDOW) + 0x3_0000) | 7n;
    rig.map(0x30, 0x5_0000);
    rig.vmcb.write("NP_ENABLE", 1n);
    rig.vmcb.write("nCR3", rig.state.cr3);
    rig.write(0x1_5008, 8, entry);
    rig.machine.cpu.mmu.watchLinear(linear);
    const log = accesses(rig);
    rig.vmcb.write("RAX", 9n);
    rig.enter(2);
    expect(rig.inGuest).toBe(true);
    expect(log).toEqual(["guest w 40001000+4 at 50000 0 -> 9"]);
  });

  test("a store that faults on its second page is no access", () => {
    const rig = prepared({ code: "48 89 07" });
    rig.state.rdi = rig.map(1, 0x3_0000) + 0xffen;
    rig.unmap(2);
    rig.machine.cpu.mmu.watchLinear(rig.state.rdi);
    const log = accesses(rig);
    rig.run(1);
    expect(rig.lastException).toBe("PF(2)");
    expect(log).toEqual([]);
  });

  test("accesses of the CPU's own: descriptors, gates, and the frame of an exception", () => {
    const rig = prepared({ code: "8e d8 0f 0b" });
    rig.stopsAtException = false;
    rig.state.rax = 0x10n;
    const log = accesses(rig);
    for (const page of [GDT, IDT, STACK - 8]) rig.machine.cpu.mmu.watchLinear(BigInt(page));
    rig.run(1);
    expect(log.splice(0)).toEqual(["r 1010+8 cf93000000ffff"]);
    rig.run(1);
    expect(rig.state.rip).toBe(BigInt(HANDLERS + 7));
    expect(log.filter((line) => line.startsWith("w"))).toHaveLength(5);
    expect(log).toContain("w 7fd8+8 0 -> 6002");
    expect(log[0]).toMatch(/^r 2060\+8 /);
  });

  test("a device's memory: what was read, and what was written", () => {
    const rig = prepared({ code: "89 07 8b 07", registers: { rdi: APIC + 0x80n, rax: 0x20n } });
    for (let i = 0; i < 512; i++) rig.write(0x1_3000 + i * 8, 8, (BigInt(i + 1536) << 21n) | 0x87n);
    rig.write(0x1_1018, 8, 0x1_3007n);
    rig.machine.cpu.mmu.watchLinear(APIC);
    const log = accesses(rig);
    rig.run(2);
    expect(log).toEqual(["w fee00080+4 0 -> 20", "r fee00080+4 20"]);
  });

  test("an observer stops behind the instruction", () => {
    const rig = prepared({ code: "90 83 07 01 90 90", registers: { rdi: DATA } });
    rig.machine.cpu.mmu.watchLinear(DATA);
    rig.machine.observe({ name: "data", on: { linearAccess: () => "stop" } });
    expect(rig.run(10)).toEqual({ reason: "observer", observer: "data" });
    expect(rig.state.rip).toBe(BigInt(CODE + 4));
    expect(rig.read(Number(DATA), 4)).toBe(0x3322_1101n);
  });

  test("a watched code page: stores to it still change the code", () => {
    // mov byte [rdi], al; then INC EBX, whose second byte becomes that of DEC EBX.
    const rig = prepared({ code: "88 07 ff c3" });
    Object.assign(rig.state, { rdi: BigInt(CODE + 3), rax: 0xcbn });
    rig.machine.cpu.mmu.watchLinear(BigInt(CODE));
    const log = accesses(rig);
    rig.run(2);
    expect(rig.state.rbx).toBe(0xffff_ffffn);
    expect(log).toEqual(["w 6003+1 c3 -> cb"]);
  });
});

describe.each(TIERS)("watched physical pages, %s", (tier) => {
  test("reads are counted watches, as writes are", () => {
    const rig = new Rig("long", tier);
    rig.code("8b 07 eb fc");
    rig.state.rdi = DATA + 4n;
    rig.run(2);
    const seen: ObserverEvents["physicalRead"][] = [];
    rig.machine.observe({
      name: "reads",
      on: {
        physicalRead: (event) => {
          seen.push(event);
          return undefined;
        },
      },
    });
    const { memory } = rig.machine;
    const [first, second] = [memory.watchReads(0x2_0000), memory.watchReads(0x2_0ff0)];
    rig.run(2);
    first();
    first();
    rig.run(2);
    second();
    rig.run(2);
    expect(seen).toEqual([1, 2].map(() => ({ address: 0x2_0004, size: 4 })));
  });
});
